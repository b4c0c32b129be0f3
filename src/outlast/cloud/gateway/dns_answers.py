"""From a query's bytes to an answer's bytes, with the answers kept in wire form.

An answer is kept by what was asked (the name in lower case, its type, the client subnet, the offered size), by the
place the query came from, and only while the zones' generation stands. A question that may be answered in several ways
is kept with all of them; each query draws one. In front of that stands a second table by the query's bytes behind its
id, the name in lower case, so that a question asked as before is answered without being read. The answer's names point
into the question, which is put back as it came (0x20). Both tables are bounded, in entries and in bytes; what is asked
for again and again outlives a flood of names that are asked once.

Looking up what is not kept may take a share of the time only. Above it, as in a flood of made-up names, such questions
by UDP are answered with no more than "ask by TCP", so that kept answers and all else in the Region go on.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import Final

from outlast.cloud.contract.names import REFUSED, Answer, Draw, Names, Question, Rcode, RecordType
from outlast.cloud.effects import Clock, Entropy
from outlast.cloud.gateway.dns_limits import RateLimiter, Verdict
from outlast.cloud.gateway.dns_packets import (
    CLASS_IN,
    HEADER,
    MESSAGE_LIMIT_BYTES,
    Drop,
    Query,
    Unfit,
    encode,
    encode_error,
    parse_query,
    refuse_any,
    truncated,
)

log = logging.getLogger("outlast.dns")

KEPT_ANSWERS: Final = 8_192
KEPT_BYTES: Final = 32 << 20
"""What the kept answers may take together; an answer by TCP can have 64 KB."""
LOOKUP_BURST_S: Final = 1.0
KEPT_QUERIES: Final = 16_384
LONGEST_QUERY_BYTES: Final = 512
"""A longer query is read each time, so that padded ones take no memory."""
KEPT_CLIENTS: Final = 4_096
TRANSFERS: Final = frozenset({RecordType.AXFR, RecordType.IXFR})
HEAD_BYTES: Final = HEADER.size - 2
"""What stands between the id and the question."""


class Kept:
    """One question's answers in wire form without the id, and how many queries they have answered."""

    __slots__ = ("bounds", "draw", "hits", "query", "question", "subject", "wires", "zone_id")

    def __init__(self, query: Query, question: Question, draw: Draw, wires: tuple[bytes, ...]) -> None:
        self.wires = wires
        self.bounds = draw.bounds
        self.draw = draw
        self.query = query
        self.question = question
        first = draw.answers[0]
        self.zone_id = first.zone_id
        self.subject: object = query.name if first.rcode == Rcode.NOERROR else (first.rcode, first.zone_id)
        self.hits = 0

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.wires))


class Table:
    """The answers for one place and transport: by the query's bytes, and by what it asks.

    `earlier` are answers from before the table was full the last time; those asked for again come back.
    """

    __slots__ = ("answers", "earlier", "queries")

    def __init__(self) -> None:
        self.queries: dict[bytes, Kept] = {}
        self.answers: dict[object, Kept] = {}
        self.earlier: dict[object, Kept] = {}


class Responder:
    """Answers packets for one Region. Synchronous; every packet gives one answer or none."""

    def __init__(
        self,
        names: Names,
        *,
        clock: Clock,
        entropy: Entropy,
        limiter: RateLimiter,
        server_id: bytes = b"",
        lookup_share: float = 0.5,
    ) -> None:
        """`lookup_share` is the share of the time that looking up what is not kept may take."""
        self._names = names
        self._clock = clock
        self._entropy = entropy
        self._limiter = limiter
        self._server_id = server_id
        self._generation = names.generation
        self._tables: dict[tuple[str, bool], Table] = {}
        self._clients: dict[tuple[str, bool], tuple[dict[bytes, Kept], str | None, Table]] = {}
        self._queries = 0
        self._answers = 0
        self._answers_bytes = 0
        self._lookup_share = lookup_share
        self._lookup_left_s = LOOKUP_BURST_S
        self._lookup_seen_s = clock.monotonic_s()
        self.dropped = 0
        self.limited = 0
        self.put_off = 0

    def respond(self, data: bytes, address: str, *, tcp: bool = False) -> bytes | None:
        """The answer to `data` from `address`, None when there shall be none. Never raises for bad input."""
        if self._names.generation != self._generation:
            self.forget()
        client = self._clients.get((address, tcp)) or self._client(address, tcp)
        kept = client[0].get(data[2:])
        question = None
        if kept is None:
            kept = client[0].get(_lowered(data))
            if kept is None:
                found = self._find(data, address, tcp, client[2])
                if found is None or isinstance(found, bytes):
                    return found
                kept = found
            question = data[HEADER.size : HEADER.size + len(kept.query.question)]
        network = client[1]
        if network is not None:
            verdict = self._limiter.judge(network, kept.subject, self._clock.monotonic_s())
            if verdict is not Verdict.SEND:
                self.limited += 1
                if verdict is Verdict.DROP:
                    return None
                return _put_back(data[:2], truncated(kept.query, kept.draw.answers[0])[2:], question)
        kept.hits += 1
        wires = kept.wires
        index = 0 if len(wires) == 1 else kept.draw.index(self._entropy.uniform())
        if kept.draw.logged:
            self._names.log(replace(kept.question, resolver=address), kept.draw.answers[index])
        if question is None:
            return data[:2] + wires[index]
        return _put_back(data[:2], wires[index], question)

    def forget(self) -> None:
        """Drop every kept answer and hand the queries counted so far to the zones."""
        self.fold()
        self._tables.clear()
        self._clients.clear()
        self._queries = self._answers = self._answers_bytes = 0
        self._generation = self._names.generation

    def fold(self) -> None:
        """Hand the queries counted so far to the zones."""
        counts: Counter[str] = Counter()
        for table in self._tables.values():
            for kept in (*table.answers.values(), *table.earlier.values()):
                if kept.zone_id is not None and kept.hits:
                    counts[kept.zone_id] += kept.hits
                kept.hits = 0
        if counts:
            self._names.count(counts)

    def _client(self, address: str, tcp: bool) -> tuple[dict[bytes, Kept], str | None, Table]:
        if len(self._clients) >= KEPT_CLIENTS:
            self._clients.clear()
        table = self._tables.setdefault((self._names.place(address), tcp), Table())
        network = None if tcp else self._limiter.network(address)
        client = self._clients[(address, tcp)] = (table.queries, network, table)
        return client

    def _find(self, data: bytes, address: str, tcp: bool, table: Table) -> Kept | bytes | None:
        """Read the question and find its answers, kept or new; bytes are an error's answer, which is not kept."""
        try:
            query = parse_query(data)
        except Drop:
            self.dropped += 1
            return None
        except Unfit as unfit:
            return self._error(unfit, address, tcp)
        key = query.essence
        kept = table.answers.get(key) or table.earlier.pop(key, None)
        if kept is not None:
            if key not in table.answers:
                self._keep(key, kept, table)
            self._remember(data, table, kept)
            return kept
        began_s = self._clock.monotonic_s()
        self._lookup_left_s += (began_s - self._lookup_seen_s) * self._lookup_share
        self._lookup_left_s = min(self._lookup_left_s, LOOKUP_BURST_S)
        self._lookup_seen_s = began_s
        if self._lookup_left_s <= 0 and not tcp:
            return self._put_off(query, address, tcp)
        try:
            return self._look_up(key, query, data, address, tcp, table)
        finally:
            self._lookup_left_s -= self._clock.monotonic_s() - began_s

    def _look_up(self, key: object, query: Query, data: bytes, address: str, tcp: bool, table: Table) -> Kept | bytes:
        """Find the answers in the zones, and keep them."""
        question = query.asked(address, tcp=tcp)
        try:
            draw = self._draw(query, question)
        except Exception:
            log.exception("a question for %r could not be answered", query.name)
            return encode(query, Answer(Rcode.SERVFAIL, authoritative=False), server_id=self._server_id)
        query = query.lowered()
        limit = MESSAGE_LIMIT_BYTES if tcp else query.payload_bytes
        wires = tuple(encode(query, answer, limit, self._server_id)[2:] for answer in draw.answers)
        kept = Kept(query, question, draw, wires)
        if not draw.cacheable:
            if kept.zone_id is not None:
                self._names.count({kept.zone_id: 1})
            return kept
        self._keep(key, kept, table)
        self._remember(data, table, kept)
        return kept

    def _keep(self, key: object, kept: Kept, table: Table) -> None:
        """Keep the answers; those kept so far become the earlier ones when half of the room is used."""
        size_bytes = kept.size_bytes
        if self._answers >= KEPT_ANSWERS // 2 or self._answers_bytes + size_bytes > KEPT_BYTES // 2:
            self.fold()
            for each in self._tables.values():
                each.earlier, each.answers = each.answers, {}
                each.queries.clear()
            self._queries = self._answers = self._answers_bytes = 0
        table.answers[key] = kept
        self._answers += 1
        self._answers_bytes += size_bytes

    def _remember(self, data: bytes, table: Table, kept: Kept) -> None:
        """Answer these bytes, in any case of the name, without reading them from now on."""
        root = HEADER.size + len(kept.query.question) - 5
        if len(data) > LONGEST_QUERY_BYTES or data.find(0, HEADER.size) != root:
            return  # padded, or a name with a zero byte in a label, where `_lowered` would end too soon
        if self._queries >= KEPT_QUERIES:
            for each in self._tables.values():
                each.queries.clear()
            self._queries = 0
        table.queries[_lowered(data)] = kept
        self._queries += 1

    def _error(self, unfit: Unfit, address: str, tcp: bool) -> bytes | None:
        return None if self._is_limited(unfit.rcode, address, tcp) else encode_error(unfit, self._server_id)

    def _put_off(self, query: Query, address: str, tcp: bool) -> bytes | None:
        self.put_off += 1
        return None if self._is_limited("put off", address, tcp) else truncated(query, Answer(Rcode.NOERROR))

    def _is_limited(self, subject: object, address: str, tcp: bool) -> bool:
        network = None if tcp else self._limiter.network(address)
        if network is None or self._limiter.judge(network, subject, self._clock.monotonic_s()) is Verdict.SEND:
            return False
        self.limited += 1
        return True

    def _draw(self, query: Query, question: Question) -> Draw:
        if query.klass != CLASS_IN or query.type in TRANSFERS or query.type == RecordType.OPT:
            return REFUSED
        draw = self._names.lookup(question)
        first = draw.answers[0]
        if query.type != RecordType.ANY or first.rcode != Rcode.NOERROR or not first.authoritative:
            return draw
        return Draw.one(Answer(Rcode.NOERROR, refuse_any(query.name), zone_id=first.zone_id), logged=draw.logged)


def _lowered(data: bytes) -> bytes:
    """What stands behind the id, up to the name's end in lower case: no length of a label is a letter, so two messages
    that are alike in this ask for the same name, and are alike in all else."""
    end = data.find(0, HEADER.size)
    return data[2 : HEADER.size] + data[HEADER.size : end].lower() + data[end:]


def _put_back(ident: bytes, wire: bytes, question: bytes | None) -> bytes:
    """The answer with the question as it was asked; all names in it point there or are the zone's own."""
    if question is None:
        return ident + wire
    return ident + wire[:HEAD_BYTES] + question + wire[HEAD_BYTES + len(question) :]
