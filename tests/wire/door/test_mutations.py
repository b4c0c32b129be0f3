"""One changed byte in anything that was signed, and the request is refused."""

from __future__ import annotations

import random
import socket

import pytest

from tests.conftest import World
from tests.wire.door.raw import Answer, Sent, address_of, dynamodb, read_answer, signed

UNSIGNED = ("content-length", "accept", "user-agent", "connection")


def positions(request: Sent) -> list[int]:
    """Where a change must be noticed: all but the protocol version, line ends, and what is not signed."""
    wire = request.wire()
    first = wire.index(b"\r\n")
    keep = [at for at in range(first) if not first - len(" HTTP/1.1") <= at]
    at = first + 2
    for line in wire[at : wire.index(b"\r\n\r\n") + 2].split(b"\r\n")[:-1]:
        name = line.partition(b":")[0].decode().lower()
        if name not in UNSIGNED:
            gap = len(name) + 1
            keep += [at + offset for offset in range(len(line)) if offset != gap]
        at += len(line) + 2
    return [*keep, *range(len(wire) - len(request.body), len(wire))]


def refused(world: World, request: Sent, at: int, bit: int) -> tuple[bool, Answer]:
    """Send the request with one bit flipped; is it refused?"""
    wire = bytearray(request.wire())
    wire[at] ^= bit
    with socket.create_connection(address_of(world), 10) as connection:
        connection.sendall(bytes(wire))
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    return answer.status == 0 or 400 <= answer.status < 500, answer


@pytest.mark.parametrize("form", ["json", "rest", "presigned"])
def test_any_changed_byte_is_refused(world: World, form: str) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="mutations") if form != "json" else None
    if form == "json":
        request = dynamodb(world, "ListTables", b'{"Limit":7}')
    elif form == "rest":
        request = signed(
            world, "PUT", "/mutations/k%20a", service="s3", body=b"some bytes", headers={"x-amz-meta-a": "b"}
        )
    else:
        request = signed(world, "PUT", "/mutations/k", service="s3", presigned_s=300)
    with socket.create_connection(address_of(world), 10) as connection:
        connection.sendall(request.wire())
        assert read_answer(connection).status == 200
    generator = random.Random(6)
    let_in = []
    for at in positions(request):
        bit = 1 << generator.choice((0, 1, 2, 3, 4))
        ok, answer = refused(world, request, at, bit)
        if not ok:
            let_in.append((at, request.wire()[max(0, at - 12) : at + 12], bit, answer.status))
    assert let_in == []
