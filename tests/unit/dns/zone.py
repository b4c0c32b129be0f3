"""A fixed little zone behind the DNS door, for the gateway's tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from outlast.cloud.contract.names import (
    REFUSED,
    Answer,
    Draw,
    Question,
    Rcode,
    Record,
    RecordType,
    WorldMap,
)


def wire(text: str) -> bytes:
    """`www.example.com` in wire form."""
    labels = [label.encode() for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


APEX = wire("example.com")
SOA = Record(
    APEX, RecordType.SOA, 900, wire("ns-1.awsdns-00.com") + wire("hostmaster.example.com") + bytes(16) + b"\0\0\0\x3c"
)


def address(text: str, name: bytes, ttl_s: int = 60) -> Record:
    return Record(name, RecordType.A, ttl_s, bytes(int(part) for part in text.split(".")))


class LittleZone:
    """`example.com` with `www` (simple), `two` (drawn), `big` (long), `near` (by place) and an alias chain `link`."""

    def __init__(self) -> None:
        self.generation = 1
        self.counted: Counter[str] = Counter()
        self.logged: list[tuple[Question, Answer]] = []
        self.lookups = 0
        self.map = WorldMap()
        self.log_queries = False

    def place(self, address: str) -> str:
        return self.map.locate(address)[0]

    def count(self, queries: Mapping[str, int]) -> None:
        self.counted.update(queries)

    def log(self, question: Question, answer: Answer) -> None:
        self.logged.append((question, answer))

    def lookup(self, question: Question) -> Draw:
        self.lookups += 1
        name = question.name
        if not name.endswith(APEX):
            return REFUSED
        head = name[: -len(APEX)]
        if head == wire("two")[:-1]:
            first, second = (
                Answer(Rcode.NOERROR, (address(ip, name),), zone_id="Z1") for ip in ("192.0.2.1", "192.0.2.2")
            )
            return Draw((first, second), (1, 4))
        records = self._records(head, name, question)
        if records is None:
            return self._one(Answer(Rcode.NXDOMAIN, authority=(SOA,), zone_id="Z1"))
        scope = 16 if head == wire("near")[:-1] else 0
        authority = () if records else (SOA,)
        return self._one(Answer(Rcode.NOERROR, records, authority, scope_bits=scope, zone_id="Z1"))

    def _one(self, answer: Answer) -> Draw:
        return Draw.one(answer, logged=self.log_queries)

    def _records(self, head: bytes, name: bytes, question: Question) -> tuple[Record, ...] | None:
        known = {wire(text)[:-1] for text in ("www", "big", "near", "link")} | {b""}
        if head not in known:
            return None
        if head == wire("link")[:-1]:
            target = wire("www.example.com")
            return (Record(name, RecordType.CNAME, 300, target), address("192.0.2.80", target))
        if question.type == RecordType.TXT and head == wire("big")[:-1]:
            return tuple(Record(name, RecordType.TXT, 60, bytes((200,)) + b"x" * 200) for _ in range(10))
        if question.type != RecordType.A or head == b"":
            return ()
        if head == wire("near")[:-1]:
            place = self.map.locate(question.client)[0]
            return (address("192.0.2.10" if place == "us-east-coast" else "192.0.2.20", name),)
        return (address("192.0.2.80", name),)
