"""The packet codec against dnspython and against the RFCs' own corner cases."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from outlast.cloud.contract.names import Answer, Rcode, Record, RecordType
from outlast.cloud.gateway.dns_packets import Drop, Unfit, encode, encode_error, parse_query, truncated
from tests.unit.dns.zone import SOA, address, wire

WWW = wire("www.example.com")


def ask(name: str = "www.example.com", kind: str = "A", **kwargs: object) -> bytes:
    query: bytes = dns.message.make_query(name, kind, **kwargs).to_wire()
    return query


def test_reads_name_type_class_and_id() -> None:
    query = parse_query(ask("WwW.Example.COM", "AAAA"))
    assert (query.name, query.type, query.klass) == (WWW, RecordType.AAAA, 1)
    assert not query.edns


def test_answer_keeps_the_case_of_the_question() -> None:
    reply = dns.message.from_wire(
        encode(parse_query(ask("WwW.eXample.COM")), Answer(Rcode.NOERROR, (address("192.0.2.1", WWW),)))
    )
    assert reply.question[0].name.to_text() == "WwW.eXample.COM."
    assert reply.answer[0].name.to_text() == "WwW.eXample.COM."
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA


def test_names_are_compressed_against_question_and_each_other() -> None:
    other = wire("other.example.com")
    records = tuple(address(f"192.0.2.{n}", other) for n in range(3))
    message = encode(parse_query(ask()), Answer(Rcode.NOERROR, records))
    assert message.count(b"\x05other") == 1
    assert message.count(b"\x07example") == 1
    assert {str(item) for item in dns.message.from_wire(message).answer[0]} == {"192.0.2.0", "192.0.2.1", "192.0.2.2"}


def test_edns_options_are_read_and_answered() -> None:
    subnet = dns.edns.ECSOption("198.51.100.0", 24)
    query = parse_query(
        ask(use_edns=0, payload=4096, want_dnssec=True, options=[subnet, dns.edns.GenericOption(3, b"")])
    )
    assert query.payload_bytes == 1232
    assert query.dnssec_ok
    asked = query.asked("127.0.0.1", tcp=False)
    assert (asked.client, asked.subnet_bits, asked.resolver) == ("198.51.100.0", 24, "127.0.0.1")
    reply = dns.message.from_wire(encode(query, Answer(Rcode.NOERROR, scope_bits=16), server_id=b"us-west-2"))
    options = {option.otype: option for option in reply.options}
    assert options[dns.edns.OptionType.ECS].scopelen == 16
    assert options[dns.edns.OptionType.NSID].to_wire() == b"us-west-2"
    assert reply.ednsflags & dns.flags.DO


def test_subnet_of_no_bits_means_the_resolver_itself() -> None:
    query = parse_query(ask(use_edns=0, options=[dns.edns.ECSOption("0.0.0.0", 0)]))
    assert query.asked("127.2.0.1", tcp=True).client == "127.2.0.1"


def test_a_subnet_of_no_family_and_no_bits_says_that_no_address_is_told() -> None:
    untold = dns.edns.GenericOption(dns.edns.OptionType.ECS, struct.pack("!HBB", 0, 0, 0))
    query = parse_query(ask(use_edns=0, options=[untold]))
    assert query.asked("127.2.0.1", tcp=False).client == "127.2.0.1"
    assert encode(query, Answer(Rcode.NOERROR, scope_bits=24)).endswith(struct.pack("!HHHBB", 8, 4, 0, 0, 0))


def test_negative_answer_carries_the_soa() -> None:
    reply = dns.message.from_wire(encode(parse_query(ask()), Answer(Rcode.NXDOMAIN, authority=(SOA,))))
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert reply.authority[0].rdtype == dns.rdatatype.SOA
    assert reply.authority[0][0].minimum == 60


@pytest.mark.parametrize("payload", [None, 512, 1232, 4096])
def test_an_answer_too_long_is_cut_to_nothing_and_marked(payload: int | None) -> None:
    records = tuple(Record(WWW, RecordType.TXT, 60, bytes((200,)) + b"x" * 200) for _ in range(10))
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    query = parse_query(ask(kind="TXT", **edns))
    whole = encode(query, Answer(Rcode.NOERROR, records))
    cut = encode(query, Answer(Rcode.NOERROR, records), query.payload_bytes)
    assert len(whole) > 2000
    assert len(cut) <= 512
    reply = dns.message.from_wire(cut)
    assert reply.flags & dns.flags.TC
    assert not reply.answer
    assert reply.question
    assert (reply.edns == 0) is (payload is not None)
    assert dns.message.from_wire(truncated(query, Answer(Rcode.NOERROR))).flags & dns.flags.TC


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 11, ask()[:2] + b"\x80\x00" + ask()[4:]], ids=["empty", "short", "answer"]
)
def test_what_must_not_be_answered_is_dropped(data: bytes) -> None:
    with pytest.raises(Drop):
        parse_query(data)


def opt(options: bytes = b"", version: int = 0, root: bytes = b"\0") -> bytes:
    return root + struct.pack("!HHBBHH", 41, 1232, 0, version, 0, len(options)) + options


def with_extra(extra: bytes, count: int = 1) -> bytes:
    data = ask()
    return data[:10] + struct.pack("!H", count) + data[12:] + extra


MALFORMED = {
    "no question": ask()[:4] + b"\0\0" + ask()[6:],
    "two questions": ask()[:4] + b"\0\2" + ask()[6:] + ask()[12:],
    "an answer in a query": ask()[:6] + b"\0\1" + ask()[8:],
    "cut name": ask()[:-8],
    "cut type": ask()[:-1],
    "compressed name": ask()[:12] + b"\xc0\x0c\0\x01\0\x01",
    "label of 64": ask()[:12] + b"\x40" + b"a" * 64 + b"\0\0\x01\0\x01",
    "name of 256": ask()[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\x01\0\x01",
    "bytes behind the end": ask() + b"\0",
    "OPT cut": with_extra(opt()[:-1]),
    "OPT not at the root": with_extra(opt(root=b"\x01a\0")),
    "bytes behind OPT": with_extra(opt() + b"\0"),
    "two OPT": with_extra(opt() + opt(), 2),
    "option cut": with_extra(opt(b"\0\x08\0\x09\0")),
    "option without length": with_extra(opt(b"\0\x08\0")),
    "subnet of unknown family": with_extra(opt(struct.pack("!HHHBB", 8, 4, 3, 0, 0))),
    "subnet too short": with_extra(opt(struct.pack("!HHHBBBB", 8, 6, 1, 24, 0, 1, 1))),
    "subnet with scope": with_extra(opt(struct.pack("!HHHBBB", 8, 5, 1, 8, 8, 1))),
    "subnet with stray bits": with_extra(opt(struct.pack("!HHHBBB", 8, 5, 1, 4, 0, 0x1F))),
    "subnet too wide": with_extra(opt(struct.pack("!HHHBB5s", 8, 9, 1, 33, 0, b"12345"))),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_packets_are_format_errors(data: bytes) -> None:
    with pytest.raises(Unfit) as caught:
        parse_query(data)
    assert caught.value.rcode is Rcode.FORMERR
    reply = encode_error(caught.value)
    assert reply[:2] == data[:2]
    assert len(reply) <= len(data) + 11
    assert dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR


def test_unknown_edns_version_is_badvers() -> None:
    with pytest.raises(Unfit) as caught:
        parse_query(with_extra(opt(version=1)))
    reply = dns.message.from_wire(encode_error(caught.value))
    assert reply.rcode() == dns.rcode.BADVERS
    assert reply.edns == 0


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_not_implemented_and_the_answer_names_them(opcode: int) -> None:
    """RFC 1035 section 4.1.1: the opcode is copied into the response; clients take no other for an answer to theirs."""
    data = ask()[:2] + bytes((opcode << 3, 0)) + ask()[4:]
    with pytest.raises(Unfit) as caught:
        parse_query(data)
    reply = encode_error(caught.value)
    assert reply == data[:2] + bytes((0x80 | opcode << 3, Rcode.NOTIMP)) + b"\0" * 8
