"""From a query's bytes to an answer's bytes, with the answers kept in wire form.

An answer is kept by what was asked, byte for byte behind the message's id (so the client subnet, the case of the name
and the offered size are part of it), by the place the query came from, and only while the zones' generation stands. A
question that may be answered in several ways is kept with all of them; each query draws one.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from outlast.cloud.contract.names import REFUSED, Answer, Draw, Names, Question, Rcode, RecordType
from outlast.cloud.effects import Clock, Entropy
from outlast.cloud.gateway.dns_limits import RateLimiter, Verdict
from outlast.cloud.gateway.dns_packets import (
    CLASS_IN,
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
KEPT_CLIENTS: Final = 4_096
TRANSFERS: Final = frozenset({RecordType.AXFR, RecordType.IXFR})


class Kept:
    """One question's answers in wire form without the id, and how many queries it has answered."""

    __slots__ = ("bounds", "draw", "hits", "question", "subject", "truncated", "wires", "zone_id")

    def __init__(self, query: Query, question: Question, draw: Draw, wires: tuple[bytes, ...], cut: bytes) -> None:
        self.wires = wires
        self.bounds = draw.bounds
        self.draw = draw
        self.question = question
        self.truncated = cut
        first = draw.answers[0]
        self.zone_id = first.zone_id
        self.subject: object = query.name if first.rcode == Rcode.NOERROR else (first.rcode, first.zone_id)
        self.hits = 0


class Responder:
    """Answers packets for one Region. Synchronous; every packet gives one answer or none."""

    def __init__(
        self, names: Names, *, clock: Clock, entropy: Entropy, limiter: RateLimiter, server_id: bytes = b""
    ) -> None:
        self._names = names
        self._clock = clock
        self._entropy = entropy
        self._limiter = limiter
        self._server_id = server_id
        self._generation = names.generation
        self._by_place: dict[tuple[str, bool], dict[bytes, Kept]] = {}
        self._clients: dict[tuple[str, bool], tuple[dict[bytes, Kept], str | None]] = {}
        self._size = 0
        self.dropped = 0
        self.limited = 0

    def respond(self, data: bytes, address: str, *, tcp: bool = False) -> bytes | None:
        """The answer to `data` from `address`, None when there shall be none. Never raises for bad input."""
        if self._names.generation != self._generation:
            self.forget()
        client = self._clients.get((address, tcp)) or self._client(address, tcp)
        kept = client[0].get(data[2:])
        if kept is None:
            found = self._find(data, address, tcp, client[0])
            if found is None or isinstance(found, bytes):
                return found
            kept = found
        network = client[1]
        if network is not None:
            verdict = self._limiter.judge(network, kept.subject, self._clock.monotonic_s())
            if verdict is not Verdict.SEND:
                self.limited += 1
                return data[:2] + kept.truncated if verdict is Verdict.TRUNCATE else None
        kept.hits += 1
        wires = kept.wires
        if len(wires) == 1:
            if kept.draw.logged:
                self._names.log(kept.question, kept.draw.answers[0])
            return data[:2] + wires[0]
        index = kept.draw.index(self._entropy.uniform())
        if kept.draw.logged:
            self._names.log(kept.question, kept.draw.answers[index])
        return data[:2] + wires[index]

    def forget(self) -> None:
        """Drop every kept answer and hand the queries counted so far to the zones."""
        self.fold()
        self._by_place.clear()
        self._clients.clear()
        self._size = 0
        self._generation = self._names.generation

    def fold(self) -> None:
        """Hand the queries counted so far to the zones."""
        counts: Counter[str] = Counter()
        for answers in self._by_place.values():
            for kept in answers.values():
                if kept.zone_id is not None and kept.hits:
                    counts[kept.zone_id] += kept.hits
                kept.hits = 0
        if counts:
            self._names.count(counts)

    def _client(self, address: str, tcp: bool) -> tuple[dict[bytes, Kept], str | None]:
        if len(self._clients) >= KEPT_CLIENTS:
            self._clients.clear()
        answers = self._by_place.setdefault((self._names.place(address), tcp), {})
        network = None if tcp else self._limiter.network(address)
        client = self._clients[(address, tcp)] = (answers, network)
        return client

    def _find(self, data: bytes, address: str, tcp: bool, answers: dict[bytes, Kept]) -> Kept | bytes | None:
        """Look the question up and keep the answer; bytes are an error's answer, which is not kept."""
        try:
            query = parse_query(data)
        except Drop:
            self.dropped += 1
            return None
        except Unfit as unfit:
            return self._error(unfit, address, tcp)
        question = query.asked(address, tcp=tcp)
        try:
            draw = self._draw(query, question)
        except Exception:
            log.exception("a question for %r could not be answered", query.name)
            return encode(query, Answer(Rcode.SERVFAIL, authoritative=False), server_id=self._server_id)
        limit = MESSAGE_LIMIT_BYTES if tcp else query.payload_bytes
        wires = tuple(encode(query, answer, limit, self._server_id)[2:] for answer in draw.answers)
        kept = Kept(query, question, draw, wires, truncated(query, draw.answers[0])[2:])
        if not draw.cacheable:
            if kept.zone_id is not None:
                self._names.count({kept.zone_id: 1})
            return kept
        if self._size >= KEPT_ANSWERS:
            self.forget()
            answers = self._client(address, tcp)[0]
        answers[data[2:]] = kept
        self._size += 1
        return kept

    def _error(self, unfit: Unfit, address: str, tcp: bool) -> bytes | None:
        network = None if tcp else self._limiter.network(address)
        if network is not None:
            verdict = self._limiter.judge(network, unfit.rcode, self._clock.monotonic_s())
            if verdict is not Verdict.SEND:
                self.limited += 1
                return None
        return encode_error(unfit, self._server_id)

    def _draw(self, query: Query, question: Question) -> Draw:
        if query.klass != CLASS_IN or query.type in TRANSFERS or query.type == RecordType.OPT:
            return REFUSED
        draw = self._names.lookup(question)
        if query.type != RecordType.ANY or draw.answers[0].rcode == Rcode.REFUSED:
            return draw
        zone_id = draw.answers[0].zone_id
        return Draw.one(Answer(Rcode.NOERROR, refuse_any(query.name), zone_id=zone_id), logged=draw.logged)
