"""The runtime's pure parts: frames, name resolution, marshalling, the canary modules."""

from __future__ import annotations

import socket
import struct
import threading
from decimal import Decimal

import pytest

from outlast.cloud.runtime import marshal, resolver
from outlast.cloud.runtime.context import ClientContext, LambdaContext
from outlast.cloud.runtime.frames import INVOKE, READY, FrameError, Invocation, Reply, Unpacker, pack


def test_frames_come_out_whole_however_they_arrive() -> None:
    stream = pack(READY, {"pid": 1}) + Invocation("r", "arn", 1.5, "t", '{"a":"\\n"}').pack(b"event")
    for step in (1, 7, len(stream)):
        unpacker = Unpacker()
        frames = [frame for at in range(0, len(stream), step) for frame in unpacker.feed(stream[at : at + step])]
        assert [frame.kind for frame in frames] == [READY, INVOKE]
        assert frames[0].meta == {"pid": 1}
        assert Invocation.read(frames[1].head) == Invocation("r", "arn", 1.5, "t", '{"a":"\\n"}')
        assert frames[1].body == b"event"


def test_a_frame_over_the_limits_is_refused() -> None:
    with pytest.raises(FrameError):
        Unpacker().feed(struct.pack(">cII", b"A", 1, 1 << 30))


@pytest.mark.parametrize("head", [b"", b"1 2", b"x y z", b"1 1.0 4 5"])
def test_a_reply_that_is_none_is_refused(head: bytes) -> None:
    with pytest.raises(FrameError):
        Reply.read(head)


def test_a_reply_survives_its_frame() -> None:
    (frame,) = Unpacker().feed(Reply(True, 1.25, 60).pack(b"x"))
    assert Reply.read(frame.head) == Reply(True, 1.25, 60)


def test_decimals_keep_their_digits() -> None:
    assert (
        marshal.reply_of({"a": [Decimal("1E+2"), Decimal("0.10")], "b": Decimal("NaN")})
        == b'{"a": [1E+2, 0.10], "b": NaN}'
    )


def test_an_error_too_large_to_send_loses_its_trace() -> None:
    body = marshal.error_body(marshal.RuntimeFault("E", "m" * 400_000, ["t" * 400_000]), "r")
    assert len(body) < 60_000


def test_the_context_tells_the_time_left() -> None:
    context = LambdaContext({"AWS_LAMBDA_FUNCTION_NAME": "f"}, Invocation("r", "arn", 2.0))
    assert 1_000 < context.get_remaining_time_in_millis() <= 2_000
    assert (context.function_name, context.aws_request_id, context.client_context) == ("f", "r", None)


def test_a_client_context_is_read() -> None:
    context = ClientContext.read('{"client": {"app_title": "x"}, "custom": {"k": 1}}')
    assert context is not None
    assert context.client is not None
    assert vars(context.client) == {"app_title": "x"}
    assert (vars(context)["custom"], vars(context)["env"]) == ({"k": 1}, None)


def packet(ident: int, name: str, answers: list[tuple[str, int, bytes]], code: int = 0) -> bytes:
    def text(name: str) -> bytes:
        return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"

    head = struct.pack(">HHHHHH", ident, 0x8400 | code, 1, len(answers), 0, 0) + text(name) + struct.pack(">HH", 1, 1)
    return head + b"".join(
        text(owner) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for owner, kind, data in answers
    )


def test_an_answer_is_followed_through_its_aliases() -> None:
    answers = [("a.test", 5, b"\x01b\x04test\0"), ("b.test", 1, b"\x7f\0\0\x02")]
    assert resolver.parse(packet(7, "a.test", answers), 7, "A.test.") == resolver.Answer(("127.0.0.2",), "b.test")
    assert resolver.parse(packet(7, "a.test", answers[:1]), 7, "a.test") == resolver.Answer((), "b.test")


def test_refusals_and_rubbish_are_told_apart() -> None:
    with pytest.raises(resolver.NotOurs):
        resolver.parse(packet(7, "a.test", [], code=5), 7, "a.test")
    assert resolver.parse(packet(7, "a.test", [], code=3), 7, "a.test").addresses == ()
    whole = packet(7, "a.test", [("a.test", 1, b"\x7f\0\0\x02")])
    for size in range(len(whole)):
        with pytest.raises(ValueError, match="reply"):
            resolver.parse(whole[:size], 7, "a.test")
    with pytest.raises(ValueError, match="another"):
        resolver.parse(whole, 8, "a.test")


def serve(sock: socket.socket, zone: dict[str, str]) -> None:
    while True:
        query, client = sock.recvfrom(512)
        if query == b"stop":
            return
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, ident = ".".join(labels), struct.unpack_from(">H", query)[0]
        if not name.endswith(".test"):
            sock.sendto(packet(ident, name, [], code=5), client)
        elif name in zone:
            sock.sendto(packet(ident, name, [(name, 1, socket.inet_aton(zone[name]))]), client)
        else:
            sock.sendto(packet(ident, name, [], code=3), client)


def test_names_of_the_world_go_to_its_server_and_its_port() -> None:
    machine = socket.getaddrinfo
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(sock, {"api.test": "127.0.0.2"}))
        thread.start()
        try:
            asked = resolver.Resolver(resolver.Names("127.0.0.1", sock.getsockname()[1], 4566), machine)
            infos = asked.getaddrinfo("api.test", 443, 0, socket.SOCK_STREAM)
            assert [info[4] for info in infos] == [("127.0.0.2", 4566)]
            assert asked.getaddrinfo("api.test", 8080, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.2", 8080)
            assert asked.getaddrinfo("localhost", 443, socket.AF_INET, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 443)
            assert asked.getaddrinfo("127.0.0.9", 443, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.9", 443)
            with pytest.raises(socket.gaierror):
                asked.getaddrinfo("gone.test", 443)
        finally:
            sock.sendto(b"stop", sock.getsockname())
            thread.join()


def test_a_world_without_a_server_leaves_names_to_the_machine() -> None:
    seen: list[str] = []

    def machine(host: str, *_rest: object) -> list[resolver.Info]:
        seen.append(host)
        return []

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    resolver.Resolver(resolver.Names("127.0.0.1", port), machine).getaddrinfo("somewhere.example", 443)
    assert seen == ["somewhere.example"]
