"""API Gateway's pure parts: routes, buckets, schemas, templates."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.services.apigateway.serving.routing import Routes
from outlast.cloud.services.apigateway.serving.schema import BadSchema, compile_schema
from outlast.cloud.services.apigateway.serving.templates import BadTemplate, Inputs, compile_template, json_path
from outlast.cloud.services.apigateway.serving.throttle import Bucket, Throttle
from outlast.cloud.services.apigateway.serving.values import compile_value

ROUTES = Routes(
    [
        ("/", "root"),
        ("/orders", "orders"),
        ("/orders/{id}", "order"),
        ("/orders/{id}/lines", "lines"),
        ("/orders/new", "new"),
        ("/files/{path+}", "files"),
        ("/files/index", "index"),
    ]
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", ("root", {})),
        ("/orders", ("orders", {})),
        ("/orders/", ("orders", {})),
        ("/orders/7", ("order", {"id": "7"})),
        ("/orders/a%20b", ("order", {"id": "a b"})),
        ("/orders/new", ("new", {})),
        ("/orders/new/lines", ("lines", {"id": "new"})),
        ("/files/index", ("index", {})),
        ("/files/a/b%2Fc", ("files", {"path": "a/b/c"})),
        ("/files", None),
        ("/orders/7/lines/8", None),
        ("/other", None),
    ],
)
def test_paths_find_their_resource(path: str, found: tuple[str, dict[str, str]] | None) -> None:
    assert ROUTES.find(path) == found


def test_a_bucket_lets_the_burst_and_then_the_rate_through() -> None:
    bucket = Bucket.full(10.0, 5.0, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [bucket.take(0.1), bucket.take(0.1)] == [True, False]
    assert sum(bucket.take(0.2 + step / 1000) for step in range(1000)) == 10


def test_a_rate_of_nothing_lets_nothing_through() -> None:
    throttle = Throttle(0.0)
    assert not any(throttle.admit("m", (0.0, 0.0), float(now)) for now in range(100))
    assert throttle.admit("other", None, 0.0)


def test_the_accounts_bucket_is_shared() -> None:
    throttle = Throttle(0.0, rate=1.0, burst=3)
    assert [throttle.admit(str(number), None, 0.0) for number in range(4)] == [True, True, True, False]


ORDER = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "title": "Order",
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "string", "pattern": "^o-", "maxLength": 8},
        "lines": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"$ref": "#/definitions/line"}},
        "kind": {"enum": ["a", 1, None]},
        "price": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "multipleOf": 0.01},
    },
    "additionalProperties": False,
    "definitions": {"line": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({"id": "o-1", "lines": [{"n": 1}]}, True),
        ({"id": "o-1", "lines": [{"n": 1.0}], "kind": None, "price": 19.99}, True),
        ({"id": "x-1", "lines": [{"n": 1}]}, False),
        ({"id": "o-1234567", "lines": [{"n": 1}]}, False),
        ({"id": "o-1", "lines": []}, False),
        ({"id": "o-1", "lines": [{"n": 1}, {"n": 1}]}, False),
        ({"id": "o-1", "lines": [{"n": "1"}]}, False),
        ({"id": "o-1", "lines": [{"n": True}]}, False),
        ({"id": "o-1", "lines": [{}]}, False),
        ({"id": "o-1", "lines": [{"n": 1}], "more": 1}, False),
        ({"id": "o-1", "lines": [{"n": 1}], "kind": True}, False),
        ({"id": "o-1", "lines": [{"n": 1}], "price": 0}, False),
        ({"id": "o-1", "lines": [{"n": 1}], "price": 0.001}, False),
        ([], False),
        ("o-1", False),
    ],
)
def test_bodies_are_judged_by_their_schema(value: Any, valid: bool) -> None:
    assert compile_schema(ORDER, lambda name: {})(value) is valid


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "ab", "a"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1.5, 1),
        ({"not": {"type": "array"}}, {}, []),
        ({"dependencies": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
        ({"patternProperties": {"^n": {"type": "integer"}}}, {"n1": 1, "x": "y"}, {"n1": "x"}),
        ({"type": ["string", "null"]}, None, 3),
        ({"items": [{"type": "string"}], "additionalItems": False}, ["a"], ["a", "b"]),
        ({"minProperties": 1, "maxProperties": 2}, {"a": 1}, {}),
        ({"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Other"}, 5, "5"),
    ],
)
def test_keywords(schema: dict[str, Any], good: Any, bad: Any) -> None:
    check = compile_schema(schema, lambda name: {"Other": {"type": "integer"}}[name])
    assert check(good)
    assert not check(bad)


def test_a_schema_may_refer_to_itself() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    check = compile_schema(tree, lambda name: {})
    assert check({"next": {"next": {}}})
    assert not check({"next": {"next": 1}})


@pytest.mark.parametrize(
    "schema",
    [{"if": {}}, {"type": "text"}, {"$ref": "#/gone"}, {"$ref": "http://x/y"}, {"pattern": "("}, [], {"enum": []}],
)
def test_what_a_schema_may_not_say(schema: Any) -> None:
    with pytest.raises(BadSchema):
        compile_schema(schema, lambda name: {})


INPUTS = Inputs(
    body='{"a": {"b": [1, {"c": "x\\"y"}]}, "s": "text"}',
    path={"id": "7"},
    query={"q": "a b"},
    headers={"content-type": "application/json"},
    context=lambda name: f"<{name}>",
    stage_variables={"colour": "red"},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"statusCode": 200}', '{"statusCode": 200}'),
        ("costs $5 and 50%", "costs $5 and 50%"),
        ("$input.json('$.a.b[0]')", "1"),
        ("$input.json('$')", '{"a":{"b":[1,{"c":"x\\"y"}]},"s":"text"}'),
        ("$input.json('$.gone')", '""'),
        ("$input.path('$.s')", "text"),
        ("$input.path('$').s!", "text!"),
        ("$input.path('$.a.b[1].c')", 'x"y'),
        ("$input.params('id') $input.params('q') $input.params('Content-Type')", "7 a b application/json"),
        ("$input.params().header.get('Content-Type')", "application/json"),
        ("$input.params().path.id/${input.params().querystring['q']}", "7/a b"),
        ("$context.identity.sourceIp.", "<identity.sourceIp>."),
        ("$!{context.requestId}x", "<requestId>x"),
        ("$stageVariables.colour ${stageVariables['colour']}", "red red"),
        ("$util.escapeJavaScript($input.path('$.a.b[1].c'))", 'x\\"y'),
        ("$util.urlEncode('a b')$util.base64Encode('x')", "a+beA=="),
        ("a## comment\nb#* more *#c", "abc"),
    ],
)
def test_templates_give_their_text(text: str, expected: str) -> None:
    assert compile_template(text).render(INPUTS) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("#set($x = 1)", "#set"),
        ("#if($x)a#end", "#if"),
        ("#foreach($x in $y)", "#foreach"),
        ("$other", "$other"),
        ("$input.other", "$input.other"),
        ("$util.parseJson('x')", "$util.parseJson"),
        ("$input.json('$..a')", "$..a"),
        ("$input.json(5)", "argument"),
        ("${context.requestId", "}"),
    ],
)
def test_templates_that_do_more_are_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        compile_template(text)
    assert named in str(caught.value)


def test_json_paths() -> None:
    document = {"a": [{"b c": 1}]}
    assert json_path(document, "$.a[0]['b c']") == 1
    assert json_path(document, "$.a[5].x") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'*'", "*"),
        ("method.request.header.Content-Type", "application/json"),
        ("method.request.path.id", "7"),
        ("context.requestId", "<requestId>"),
        ("stageVariables.colour", "red"),
        ("integration.response.body.x", "y"),
    ],
)
def test_header_values(text: str, expected: str) -> None:
    assert compile_value(text)(INPUTS, '{"x": "y"}') == expected


def test_a_header_value_of_another_kind_is_refused() -> None:
    with pytest.raises(BadTemplate):
        compile_value("integration.response.header.X")
