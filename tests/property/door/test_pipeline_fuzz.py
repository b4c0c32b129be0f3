"""Any body under a good signature: the services refuse what they cannot read or do not know, and never fail."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.gateway import pipeline
from outlast.cloud.services.dynamodb import dynamodb
from outlast.cloud.services.iam import iam
from outlast.cloud.services.s3 import s3
from outlast.cloud.services.sts import sts
from outlast.cloud.wire import Request, Response
from tests.property.door.fuzzing import at_length, briefly
from tests.unit.identity.signing import Req, signed
from tests.wire.iam.inside import ROOT, Inside, opened

SERVICES = {"dynamodb": dynamodb, "iam": iam, "sts": sts}
TARGETS = sorted(
    (name, operation) for name, service in SERVICES.items() for operation in service.operations
)  # fmt: skip


class Stage:
    """A Region in this process that answers one request after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inside: Inside) -> None:
        self._loop = loop
        self._inside = inside

    def ask(self, plain: Req, service: str) -> Response:
        now_s = self._inside.clock.now_s()
        sent = signed(plain, service=service, key_id=ROOT[0], secret=ROOT[1], now_s=now_s)
        request = Request(sent.method, sent.path, sent.query, dict(sent.headers), sent.body)
        return self._loop.run_until_complete(pipeline.respond(self._inside.gate, request, "127.0.0.1"))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as folder:
        stack = AsyncExitStack()
        inside = loop.run_until_complete(stack.enter_async_context(opened(Path(folder), iam, sts, dynamodb, s3)))
        yield Stage(loop, inside)
        loop.run_until_complete(stack.aclose())
    loop.close()


words = st.one_of(
    st.sampled_from(
        ["orders", "pk", "S", "N", "B", "1", "-1", "1e400", "true", "*", "arn:aws:iam::1:role/a", "", "#a", ":v"]
    ),
    st.text(max_size=6),
)
leaves = st.one_of(words, st.integers(), st.floats(), st.booleans(), st.none())
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Req, str]:
    """A call of some operation with some of its members holding anything, or with a body that is none."""
    service, operation = draw(st.sampled_from(TARGETS))
    members = [each.wire_name for each in SERVICES[service].model.operations[operation].members.values()]
    chosen = draw(st.dictionaries(st.sampled_from(members) if members else words, values, max_size=6))
    garbage = draw(st.none() | st.none() | st.binary(max_size=30))
    if service == "dynamodb":
        body = json.dumps(chosen).encode() if garbage is None else garbage
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}", "content-type": "application/x-amz-json-1.0"}
        return Req("POST", "/", "", headers, body), service
    fields = {"Action": operation, "Version": SERVICES[service].model.api_version}
    for name, value in chosen.items():
        suffix = draw(st.sampled_from(["", ".member.1", ".member.0", ".entry.1.key", ".member.1.Key", "."]))
        fields[name + suffix] = value if isinstance(value, str) else json.dumps(value)
    body = urlencode(fields, errors="replace").encode() + (garbage or b"")
    return Req("POST", "/", "", {"content-type": "application/x-www-form-urlencoded"}, body), service


paths = st.lists(st.sampled_from(["box", "k", "a b", "..", ".", "é", "%", ""]), max_size=3).map(
    lambda parts: "/" + "/".join(quote(part) for part in parts)
)
s3_queries = st.lists(
    st.sampled_from(
        ["list-type=2", "versioning", "versions", "policy", "tagging", "delete", "uploads", "acl", "max-keys=x",
         "max-keys=-1", "prefix=%FF", "versionId=1", "location", "encryption", "lifecycle", "partNumber=1", "X",
         "continuation-token=!!"]
    ),
    max_size=3,
).map("&".join)  # fmt: skip
s3_headers = st.dictionaries(
    st.sampled_from(
        ["range", "if-match", "if-modified-since", "x-amz-copy-source", "content-md5", "x-amz-checksum-crc32",
         "expires", "x-amz-acl", "x-amz-tagging", "content-encoding", "x-amz-meta-a", "x-amz-trailer",
         "x-amz-decoded-content-length"]
    ),
    st.sampled_from(
        ["", "bytes=0-", "bytes=5-1", "x", "-1", "box/k", "/", "AAAA", "gzip", "aws-chunked", "Mon, 99", "%zz"]
    ),
    max_size=3,
)  # fmt: skip
s3_calls = st.builds(
    Req,
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
    paths,
    s3_queries,
    s3_headers,
    st.one_of(
        st.just(b""),
        st.just(b"<a>&b;</a>"),
        st.just(b"<Delete><Object><Key/></Object></Delete>"),
        st.binary(max_size=30),
    ),
)


def check(stage: Stage, request: Req, service: str) -> None:
    response = stage.ask(request, service)
    assert response.status < 500 or response.status == 501, (request, response)
    assert b"Traceback" not in response.body
    assert "\n" not in "".join(name + value for name, value in response.headers)


@briefly(400)
@given(call=calls())
def test_any_parameters(stage: Stage, call: tuple[Req, str]) -> None:
    check(stage, *call)


@at_length
@given(call=calls())
def test_any_parameters_at_length(stage: Stage, call: tuple[Req, str]) -> None:
    check(stage, *call)


@briefly(300)
@given(request=s3_calls)
def test_any_rest_request(stage: Stage, request: Req) -> None:
    check(stage, request, "s3")


@at_length
@given(request=s3_calls)
def test_any_rest_request_at_length(stage: Stage, request: Req) -> None:
    check(stage, request, "s3")


def test_what_was_asked_includes_every_kind(stage: Stage) -> None:
    kinds: dict[str, Any] = {name: [each for each, _ in TARGETS if each == name] for name in SERVICES}
    assert all(kinds.values())
    assert stage.ask(Req("PUT", "/box"), "s3").status == 200
