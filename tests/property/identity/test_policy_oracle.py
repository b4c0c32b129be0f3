"""The compiled evaluator agrees with a slow, obvious one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.identity.patterns import any_of, glob, pieces_of
from outlast.cloud.identity.policy import Principal, RequestFacts, compile_policy, decide
from tests.property.identity import reference

ACTIONS = ["dynamodb:GetItem", "dynamodb:PutItem", "s3:GetObject", "lambda:InvokeFunction"]
RESOURCES = ["arn:aws:s3:::a", "arn:aws:s3:::ab", "arn:aws:s3:::ann/x", "arn:aws:dynamodb:r:1:table/a"]
KEYS = ["aws:username", "aws:SourceIp", "aws:TagKeys"]
WORDS = st.sampled_from(["a", "ab", "ann", "Ann", "b", ""])

action_patterns = st.sampled_from([*ACTIONS, "*", "dynamodb:*", "DYNAMODB:get*", "s3:?etObject", "*:*Item", "s3:P*"])
resource_patterns = st.sampled_from(
    [*RESOURCES, "*", "arn:aws:s3:::a*", "arn:aws:s3:::?", "arn:*:a", "arn:aws:s3:::${aws:username}/*", "arn:${x}"]
)


def some(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """One value, or a list of some."""
    return st.one_of(strategy, st.lists(strategy, min_size=1, max_size=3))


operators = st.builds(
    lambda quantifier, operator, exists: quantifier + operator + exists,
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from(
        [
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ]
    ),
    st.sampled_from(["", "IfExists"]),
)
condition_values = some(st.sampled_from(["a", "a*", "?nn", "ann", "ANN", "${aws:username}", "*", "b?"]))
conditions = st.dictionaries(
    operators, st.dictionaries(st.sampled_from(KEYS), condition_values, max_size=2), max_size=2
)
nulls = st.fixed_dictionaries({"Null": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["true", "false"]))})


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    statement[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(some(action_patterns))
    statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(some(resource_patterns))
    statement["Condition"] = draw(st.one_of(st.just({}), conditions, nulls))
    return statement


documents = st.lists(statements(), min_size=1, max_size=3).map(lambda s: {"Version": "2012-10-17", "Statement": s})
contexts = st.dictionaries(st.sampled_from([key.lower() for key in KEYS]), st.lists(WORDS, max_size=3))


@settings(max_examples=600, deadline=None)
@given(
    identity=st.lists(documents, max_size=2),
    boundary=st.none() | documents,
    session=st.lists(documents, max_size=2),
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    context=contexts,
)
def test_the_compiled_verdict_is_the_obvious_one(
    identity: list[Any], boundary: Any, session: list[Any], action: str, resource: str, context: dict[str, list[str]]
) -> None:
    decision = decide(
        RequestFacts(action, resource, Principal("user", "arn:aws:iam::1:user/ann", "1"), context),
        [compile_policy(document) for document in identity],
        boundary=None if boundary is None else compile_policy(boundary),
        session=[compile_policy(document) for document in session],
    )
    assert decision.reason == reference.verdict(identity, boundary, session, action, resource, context)
    assert decision.allowed is (decision.reason == "allowed")


@settings(max_examples=500, deadline=None)
@given(identity=st.lists(documents, min_size=1, max_size=2), contexts=st.lists(contexts, min_size=2, max_size=2))
def test_a_cacheable_decision_is_the_same_in_every_context(identity: list[Any], contexts: list[dict[str, Any]]) -> None:
    policies = [compile_policy(document) for document in identity]
    who = Principal("user", "arn:aws:iam::1:user/ann", "1")
    for context in contexts:
        context["aws:username"] = ["ann"]
    for action in ACTIONS:
        first, second = (decide(RequestFacts(action, RESOURCES[0], who, c), policies) for c in contexts)
        assert first.cacheable is second.cacheable
        if first.cacheable:
            assert first == second


@settings(max_examples=800, deadline=None)
@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=10))
def test_wildcards(pattern: str, text: str) -> None:
    tokens = tuple(p for p in pieces_of(pattern, variables=False) if isinstance(p, str | int))
    assert glob(tokens)(text) is reference.matches(pattern, text)
    assert any_of([pattern])(text) is reference.matches(pattern, text)
