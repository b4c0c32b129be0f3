"""DNS messages: queries in, answers out. Pure; no sockets, no clock.

Follows RFC 1035 (messages), RFC 2308 (negative answers), RFC 5001 (NSID), RFC 6891 (EDNS(0)), RFC 7871 (client subnet)
and RFC 8482 (ANY). Only what an authoritative server meets is understood; anything else is answered with the code that
the RFC names for it, and what cannot be answered at all (too short, itself an answer) is dropped.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from outlast.cloud.contract.names import Answer, Question, Rcode, Record, RecordType

HEADER: Final = Struct("!HHHHHH")
TWO: Final = Struct("!H")
QUESTION_TAIL: Final = Struct("!HH")
RECORD_TAIL: Final = Struct("!HHIH")
OPT_TAIL: Final = Struct("!BHHBBHH")
OPTION_HEAD: Final = Struct("!HH")

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
OPCODE: Final = 0x7800
DO: Final = 0x8000
CLASS_IN: Final = 1
OPTION_NSID: Final = 3
OPTION_SUBNET: Final = 8
PLAIN_LIMIT_BYTES: Final = 512
UDP_LIMIT_BYTES: Final = 1232
"""The largest UDP answer given, whatever the client offers: no fragments, no amplifier (DNS flag day 2020)."""
MESSAGE_LIMIT_BYTES: Final = 65535
ANY_TTL_S: Final = 3600
ANY_RDATA: Final = b"\x07RFC8482\x00"


class Drop(Exception):
    """The packet deserves no answer."""


class Unfit(Exception):
    """The packet is answered with `rcode` and nothing else; `query` is what was understood, None for nothing."""

    def __init__(self, rcode: Rcode, query: Query | None = None) -> None:
        super().__init__(rcode.name)
        self.rcode = rcode
        self.query = query


@dataclass(frozen=True, slots=True)
class Subnet:
    """The client subnet option: address family, leading bits that count, and the octets as sent.

    Families are 1 and 2; 0 says no more than that no address is told, so it has no bits.
    """

    family: int
    source_bits: int
    octets: bytes

    def text(self) -> str:
        """The network's first address in its usual text form."""
        width = 16 if self.family == 2 else 4
        return str(ipaddress.ip_address(self.octets.ljust(width, b"\0")))


@dataclass(frozen=True, slots=True)
class Query:
    """A well-formed query. `question` is its question section as sent, so that the answer keeps the name's case."""

    id: int
    recursion_desired: bool
    question: bytes
    type: int
    klass: int
    edns: bool = False
    payload_bytes: int = PLAIN_LIMIT_BYTES
    dnssec_ok: bool = False
    nsid: bool = False
    subnet: Subnet | None = None
    opcode: int = 0
    """The bits of the header that say what kind of request this is; all but a plain query get an error with them."""

    @property
    def name(self) -> bytes:
        """The name asked for, in lower case. Lengths of labels stay below any letter, so all bytes may be lowered."""
        return self.question[:-4].lower()

    def lowered(self) -> Query:
        """The same query with the name in lower case."""
        question = self.name + self.question[-4:]
        return self if question == self.question else replace(self, question=question)

    @property
    def essence(self) -> tuple[object, ...]:
        """All that an answer depends on, but for the place and the transport: two queries alike in this differ in id,
        in the case of the name, or in options that are not understood."""
        return (
            self.name,
            self.type,
            self.klass,
            self.recursion_desired,
            self.payload_bytes if self.edns else 0,
            self.dnssec_ok,
            self.nsid,
            self.subnet,
        )

    def asked(self, resolver: str, *, tcp: bool) -> Question:
        """The question for the zones."""
        subnet = self.subnet
        if subnet is None or subnet.source_bits == 0:
            return Question(self.name, self.type, resolver, resolver, None, tcp)
        return Question(self.name, self.type, resolver, subnet.text(), subnet.source_bits, tcp)


def parse_query(data: bytes) -> Query:
    """Read one query; raises Drop for what must not be answered and Unfit for what gets an error alone."""
    if len(data) < HEADER.size:
        raise Drop
    ident, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if flags & QR:
        raise Drop
    rd = bool(flags & RD)
    if flags & OPCODE:
        raise Unfit(Rcode.NOTIMP, Query(ident, rd, b"", 0, 0, opcode=flags & OPCODE))
    if questions != 1 or answers or authorities or additionals > 1:
        raise Unfit(Rcode.FORMERR, Query(ident, rd, b"", 0, 0))
    end = _skip_name(data, HEADER.size)
    if end is None or end + 4 > len(data):
        raise Unfit(Rcode.FORMERR, Query(ident, rd, b"", 0, 0))
    kind, klass = QUESTION_TAIL.unpack_from(data, end)
    end += 4
    query = Query(ident, rd, data[HEADER.size : end], kind, klass)
    if additionals:
        return _with_edns(query, data, end)
    if end != len(data):
        raise Unfit(Rcode.FORMERR, Query(ident, rd, b"", 0, 0))
    return query


def _skip_name(data: bytes, at: int) -> int | None:
    """The offset behind an uncompressed name; None when it is too long, cut short or compressed."""
    start, size = at, len(data)
    while at < size:
        length = data[at]
        at += 1
        if length == 0:
            return at if at - start <= 255 else None
        if length > 63:
            return None
        at += length
    return None


def _with_edns(query: Query, data: bytes, at: int) -> Query:
    """The query with its OPT record, which must be the last thing in the message."""
    if at + OPT_TAIL.size > len(data):
        raise Unfit(Rcode.FORMERR, query)
    root, kind, payload, _extended, version, flags, size = OPT_TAIL.unpack_from(data, at)
    at += OPT_TAIL.size
    if root != 0 or kind != RecordType.OPT or at + size != len(data):
        raise Unfit(Rcode.FORMERR, query)
    subnet: Subnet | None = None
    nsid = False
    if version == 0:
        while at < len(data):
            if at + OPTION_HEAD.size > len(data):
                raise Unfit(Rcode.FORMERR, query)
            code, length = OPTION_HEAD.unpack_from(data, at)
            at += OPTION_HEAD.size
            if at + length > len(data):
                raise Unfit(Rcode.FORMERR, query)
            if code == OPTION_SUBNET:
                subnet = _parse_subnet(data[at : at + length], query)
            nsid = nsid or code == OPTION_NSID
            at += length
    full = Query(
        query.id,
        query.recursion_desired,
        query.question,
        query.type,
        query.klass,
        edns=True,
        payload_bytes=min(max(payload, PLAIN_LIMIT_BYTES), UDP_LIMIT_BYTES),
        dnssec_ok=bool(flags & DO),
        nsid=nsid,
        subnet=subnet,
    )
    if version != 0:
        raise Unfit(Rcode.BADVERS, full)
    return full


def _parse_subnet(option: bytes, query: Query) -> Subnet:
    """RFC 7871 section 6: exactly the octets that the prefix needs, the bits behind it zero, scope zero."""
    if len(option) < 4:
        raise Unfit(Rcode.FORMERR, query)
    family, bits, scope, octets = TWO.unpack_from(option)[0], option[2], option[3], option[4:]
    widest = {0: 0, 1: 32, 2: 128}.get(family)
    if widest is None or bits > widest or scope or len(octets) != (bits + 7) // 8:
        raise Unfit(Rcode.FORMERR, query)
    if bits % 8 and octets[-1] & (0xFF >> bits % 8):
        raise Unfit(Rcode.FORMERR, query)
    return Subnet(family, bits, octets)


def encode(query: Query, answer: Answer, limit_bytes: int = MESSAGE_LIMIT_BYTES, server_id: bytes = b"") -> bytes:
    """The whole answer message; when it would pass `limit_bytes`, one that says it is truncated and holds no records.

    Records never come in part: a client that meets TC asks again by TCP.
    """
    counts = (len(answer.answers), len(answer.authority), len(answer.additional))
    writer = _Writer(query)
    for section in (answer.answers, answer.authority, answer.additional):
        for record in section:
            writer.record(record)
    opt = _opt(query, answer, server_id)
    flags = QR | query.opcode | (AA if answer.authoritative else 0) | (RD if query.recursion_desired else 0)
    flags |= answer.rcode & 15
    if len(writer.out) + len(opt) > limit_bytes:
        counts = (0, 0, 0)
        flags |= TC
        del writer.out[HEADER.size + len(query.question) :]
    HEADER.pack_into(
        writer.out,
        0,
        query.id,
        flags,
        1 if query.question else 0,
        counts[0],
        counts[1],
        counts[2] + (1 if opt else 0),
    )
    writer.out += opt
    return bytes(writer.out)


def encode_error(unfit: Unfit, server_id: bytes = b"") -> bytes:
    """The answer to a packet that is not a usable query."""
    query = unfit.query
    if query is None:
        raise Drop
    return encode(query, Answer(unfit.rcode, authoritative=False), server_id=server_id)


def truncated(query: Query, answer: Answer) -> bytes:
    """An answer without records that sends the client to TCP."""
    return encode(query, answer, HEADER.size)


def refuse_any(name: bytes) -> tuple[Record, ...]:
    """What a query for ANY gets: one small HINFO record (RFC 8482 section 4.2)."""
    return (Record(name, RecordType.HINFO, ANY_TTL_S, ANY_RDATA),)


def _opt(query: Query, answer: Answer, server_id: bytes) -> bytes:
    if not query.edns:
        return b""
    options = b""
    if query.nsid and server_id:
        options += OPTION_HEAD.pack(OPTION_NSID, len(server_id)) + server_id
    subnet = query.subnet
    if subnet is not None:
        scope = min(answer.scope_bits, 128 if subnet.family == 2 else 32) if subnet.source_bits else 0
        body = TWO.pack(subnet.family) + bytes((subnet.source_bits, scope)) + subnet.octets
        options += OPTION_HEAD.pack(OPTION_SUBNET, len(body)) + body
    flags = DO if query.dnssec_ok else 0
    return OPT_TAIL.pack(0, RecordType.OPT, UDP_LIMIT_BYTES, answer.rcode >> 4, 0, flags, len(options)) + options


class _Writer:
    """A message being written; owner names are compressed against the question and each other."""

    __slots__ = ("known", "out")

    def __init__(self, query: Query) -> None:
        self.out = bytearray(HEADER.size)
        self.known: dict[bytes, int] = {}
        if query.question:
            self._note(query.name, HEADER.size)
            self.out += query.question

    def _note(self, name: bytes, at: int) -> None:
        """Remember where each tail of `name`, written from offset `at`, can be pointed to."""
        start = 0
        while name[start] and at + start < 0x4000:
            self.known.setdefault(name[start:], at + start)
            start += name[start] + 1

    def record(self, record: Record) -> None:
        self._name(record.name)
        self.out += RECORD_TAIL.pack(record.type, CLASS_IN, record.ttl_s, len(record.rdata))
        self.out += record.rdata

    def _name(self, name: bytes) -> None:
        start = 0
        while name[start]:
            pointer = self.known.get(name[start:])
            if pointer is not None:
                self._note_head(name, start)
                self.out += name[:start] + TWO.pack(0xC000 | pointer)
                return
            start += name[start] + 1
        self._note(name, len(self.out))
        self.out += name

    def _note_head(self, name: bytes, length: int) -> None:
        """Remember the tails of `name` that begin in its first `length` bytes, which are about to be written."""
        start, at = 0, len(self.out)
        while start < length and at + start < 0x4000:
            self.known.setdefault(name[start:], at + start)
            start += name[start] + 1
