"""Round trips and hostile bytes: whatever comes, the codec answers as dnspython reads it, or drops it."""

from __future__ import annotations

import dns.edns
import dns.message
import dns.name
from hypothesis import example, given
from hypothesis import strategies as st

from outlast.cloud.contract.names import Answer, Rcode, Record, RecordType
from outlast.cloud.effects import RealClock, RealEntropy
from outlast.cloud.gateway.dns_answers import Responder
from outlast.cloud.gateway.dns_limits import RateLimit, RateLimiter
from outlast.cloud.gateway.dns_packets import encode, parse_query
from tests.unit.dns.zone import LittleZone

labels = st.binary(min_size=1, max_size=20)
names = st.lists(labels, max_size=8).map(lambda parts: dns.name.Name([*parts, b""]))
subnets = st.one_of(
    st.none(),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
)


@given(
    name=names, kind=st.integers(1, 65535), subnet=subnets, payload=st.integers(0, 65535), ident=st.integers(0, 65535)
)
def test_a_query_of_dnspython_is_read_back(
    name: dns.name.Name, kind: int, subnet: tuple[object, int] | None, payload: int, ident: int
) -> None:
    options = [dns.edns.ECSOption(str(subnet[0]), subnet[1])] if subnet else []
    data = dns.message.make_query(name, kind, use_edns=0, payload=payload, options=options, id=ident).to_wire()
    query = parse_query(data)
    assert (query.id, query.type, query.edns) == (ident, kind, True)
    assert query.name == name.canonicalize().to_wire()
    assert 512 <= query.payload_bytes <= 1232
    if subnet:
        assert query.subnet is not None
        assert query.subnet.source_bits == subnet[1]
        assert dns.edns.ECSOption(query.subnet.text(), subnet[1]).to_wire() == options[0].to_wire()


records = st.builds(
    Record,
    name=names.map(lambda name: name.canonicalize().to_wire()),
    type=st.sampled_from([RecordType.A]),
    ttl_s=st.integers(0, 2**31 - 1),
    rdata=st.binary(min_size=4, max_size=4),
)


@given(name=names, sections=st.tuples(*(st.lists(records, max_size=6).map(tuple) for _ in range(3))))
def test_an_answer_is_read_alike_by_dnspython(
    name: dns.name.Name, sections: tuple[tuple[Record, ...], tuple[Record, ...], tuple[Record, ...]]
) -> None:
    query = parse_query(dns.message.make_query(name, "A").to_wire())
    reply = dns.message.from_wire(encode(query, Answer(Rcode.NOERROR, *sections)))
    assert reply.question[0].name == name
    for section, sent in zip((reply.answer, reply.authority, reply.additional), sections, strict=True):
        read = {(rrset.name.canonicalize().to_wire(), item.to_wire()) for rrset in section for item in rrset}
        assert read == {(record.name, record.rdata) for record in sent}


def responder() -> Responder:
    limiter = RateLimiter(RateLimit())
    return Responder(LittleZone(), clock=RealClock(), entropy=RealEntropy(), limiter=limiter)


@given(data=st.binary(max_size=600))
@example(b"\0" * 12)
def test_any_bytes_are_dropped_or_answered_small(data: bytes) -> None:
    answer = responder().respond(data, "127.0.0.1")
    if answer is not None:
        assert answer[:2] == data[:2]
        assert answer[2] & 0x80
        assert len(answer) <= 1232
        dns.message.from_wire(answer)


@given(cut=st.integers(0, 60), flip=st.tuples(st.integers(2, 60), st.integers(0, 255)))
def test_a_damaged_query_never_breaks_the_server(cut: int, flip: tuple[int, int]) -> None:
    data = bytearray(dns.message.make_query("www.example.com", "A", use_edns=0, payload=1232).to_wire())
    data[flip[0] % len(data)] = flip[1]
    answer = responder().respond(bytes(data[: len(data) - cut]), "127.0.0.1")
    assert answer is None or len(answer) <= 1232


tricky = st.lists(st.binary(min_size=1, max_size=3).map(lambda raw: bytes(b"\0aA@[w"[c % 6] for c in raw)), max_size=3)
asked = st.tuples(
    tricky, st.sampled_from([1, 16, 65, 97]), st.sampled_from([None, "10.65.0.0", "10.97.0.0"]), st.booleans()
)


@given(questions=st.lists(asked, max_size=12))
def test_what_is_kept_is_what_would_be_found_anew(
    questions: list[tuple[list[bytes], int, str | None, bool]],
) -> None:
    """Names that differ in case, zero bytes, and types and subnets that look like letters of another case."""
    keeping = responder()
    for head, kind, subnet, dnssec in questions:
        name = dns.name.Name([*head, b"WWW" if dnssec else b"www", b"example", b"com", b""])
        options = [dns.edns.ECSOption(subnet, 24)] if subnet else []
        for each in (name, name.canonicalize(), name):
            data = dns.message.make_query(each, kind, use_edns=0, options=options, want_dnssec=dnssec).to_wire()
            assert keeping.respond(data, "127.0.0.1") == responder().respond(data, "127.0.0.1")
