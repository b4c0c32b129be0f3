"""Kept answers, draws, places, counts and rate limits, packet in, packet out."""

from __future__ import annotations

from collections import Counter

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from outlast.cloud.contract.names import Draw, Question
from outlast.cloud.effects import RealEntropy
from outlast.cloud.gateway import dns_answers
from outlast.cloud.gateway.dns_answers import KEPT_ANSWERS, Responder
from outlast.cloud.gateway.dns_limits import RateLimit, RateLimiter, Verdict
from tests.unit.dns.zone import LittleZone


class Ticking:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def now_s(self) -> float:
        return self.seconds

    def monotonic_s(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Desk:
    """A responder over the little zone, asked through dnspython."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self.zone = LittleZone()
        self.clock = Ticking()
        limiter = RateLimiter(limit or RateLimit())
        self.responder = Responder(self.zone, clock=self.clock, entropy=RealEntropy(), limiter=limiter, server_id=b"r1")

    def raw(self, data: bytes, source: str = "127.0.0.1", *, tcp: bool = False) -> bytes | None:
        return self.responder.respond(data, source, tcp=tcp)

    def ask(
        self, name: str, kind: str = "A", source: str = "127.0.0.1", *, tcp: bool = False, **kwargs: object
    ) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **kwargs)
        data = self.raw(query.to_wire(), source, tcp=tcp)
        assert data is not None
        reply = dns.message.from_wire(data)
        assert query.is_response(reply)
        return reply


@pytest.fixture
def desk() -> Desk:
    return Desk()


def addresses(reply: dns.message.Message) -> list[str]:
    return [item.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]


def test_the_same_question_is_looked_up_once(desk: Desk) -> None:
    for _ in range(3):
        assert addresses(desk.ask("www.example.com")) == ["192.0.2.80"]
    assert desk.zone.lookups == 1


def test_another_case_of_the_name_comes_back_as_asked(desk: Desk) -> None:
    desk.ask("www.example.com")
    assert desk.ask("WWW.example.COM").answer[0].name.to_text() == "WWW.example.COM."


def test_kept_answers_end_with_the_generation(desk: Desk) -> None:
    desk.ask("www.example.com")
    desk.zone.generation += 1
    desk.ask("www.example.com")
    assert desk.zone.lookups == 2


def test_names_outside_the_zones_are_refused_without_recursion(desk: Desk) -> None:
    reply = desk.ask("example.net")
    assert reply.rcode() == dns.rcode.REFUSED
    assert not reply.flags & (dns.flags.RA | dns.flags.AA)


def test_missing_names_and_types_carry_the_soa(desk: Desk) -> None:
    missing = desk.ask("nobody.example.com")
    assert (missing.rcode(), missing.authority[0].rdtype) == (dns.rcode.NXDOMAIN, dns.rdatatype.SOA)
    empty = desk.ask("www.example.com", "AAAA")
    assert (empty.rcode(), empty.authority[0].rdtype) == (dns.rcode.NOERROR, dns.rdatatype.SOA)


def test_any_gets_one_small_record(desk: Desk) -> None:
    reply = desk.ask("big.example.com", "ANY")
    assert [rrset.rdtype for rrset in reply.answer] == [dns.rdatatype.HINFO]
    assert desk.ask("example.net", "ANY").rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(("kind", "klass"), [("AXFR", "IN"), ("IXFR", "IN"), ("TXT", "CH")])
def test_transfers_and_other_classes_are_refused(desk: Desk, kind: str, klass: str) -> None:
    assert desk.ask("example.com", kind, rdclass=klass).rcode() == dns.rcode.REFUSED


def test_udp_is_cut_and_tcp_is_whole(desk: Desk) -> None:
    assert desk.ask("big.example.com", "TXT").flags & dns.flags.TC
    assert len(desk.ask("big.example.com", "TXT", tcp=True).answer[0]) == 1
    assert len(desk.raw(dns.message.make_query("big.example.com", "TXT").to_wire(), tcp=True) or b"") > 2000


def test_each_query_draws_by_weight() -> None:
    desk = Desk()
    drawn = Counter(addresses(desk.ask("two.example.com"))[0] for _ in range(2_000))
    assert desk.zone.lookups == 1
    assert 380 < drawn["192.0.2.1"] < 620
    assert drawn["192.0.2.2"] == 2_000 - drawn["192.0.2.1"]


def test_places_do_not_share_answers(desk: Desk) -> None:
    assert addresses(desk.ask("near.example.com", source="127.1.0.1")) == ["192.0.2.10"]
    assert addresses(desk.ask("near.example.com", source="127.2.0.1")) == ["192.0.2.20"]
    west = [dns.edns.ECSOption("198.51.100.0", 24)]
    reply = desk.ask("near.example.com", source="127.1.0.1", use_edns=0, options=west)
    assert addresses(reply) == ["192.0.2.20"]
    assert reply.options[0].scopelen == 16


def test_queries_are_counted_by_zone(desk: Desk) -> None:
    for name in ("www.example.com", "www.example.com", "gone.example.com", "example.net"):
        desk.ask(name)
    desk.responder.fold()
    desk.responder.fold()
    assert desk.zone.counted == Counter({"Z1": 3})


def test_every_query_of_a_logged_zone_is_reported(desk: Desk) -> None:
    desk.zone.log_queries = True
    desk.ask("www.example.com")
    desk.ask("www.example.com")
    assert len(desk.zone.logged) == 2


def test_what_is_kept_stays_bounded(desk: Desk) -> None:
    for n in range(KEPT_ANSWERS + 10):
        query = dns.message.make_query(f"n{n}.example.com", "A")
        desk.raw(query.to_wire())
    desk.responder.fold()
    assert desk.zone.counted["Z1"] == KEPT_ANSWERS + 10
    assert kept(desk)[1] <= KEPT_ANSWERS


def kept(desk: Desk) -> tuple[int, int, int]:
    """How many queries and answers are kept, and the bytes of the answers, as found in the tables."""
    tables = desk.responder._tables.values()
    answers = [each for table in tables for each in (*table.answers.values(), *table.earlier.values())]
    return sum(len(table.queries) for table in tables), len(answers), sum(each.size_bytes for each in answers)


def test_what_is_kept_stays_bounded_in_bytes_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large answers by TCP, asked for with one client subnet after another."""
    monkeypatch.setattr(dns_answers, "KEPT_BYTES", 100_000)
    for n in range(60):
        option = dns.edns.ECSOption(f"10.{n >> 8 & 255}.{n & 255}.0", 24)
        query = dns.message.make_query("big.example.com", "TXT", use_edns=0, options=[option])
        assert len(desk.raw(query.to_wire(), tcp=True) or b"") > 2_000
    _, _, size_bytes = kept(desk)
    assert 0 < size_bytes <= 100_000


def test_what_is_asked_again_and_again_outlives_a_flood_of_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_answers, "KEPT_ANSWERS", 100)
    for n in range(1_000):
        desk.raw(dns.message.make_query(f"n{n}.example.com", "A").to_wire())
        if n % 20 == 0:
            desk.ask("www.example.com")
    assert desk.zone.lookups == 1_001
    assert kept(desk)[1] <= 100
    desk.responder.fold()
    assert desk.zone.counted["Z1"] == 1_050


def test_looking_up_takes_a_share_of_the_time_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten milliseconds a look-up: after a burst of one second, half of the time."""
    desk.ask("www.example.com")
    real = desk.zone.lookup

    def slow(question: Question) -> Draw:
        desk.clock.seconds += 0.01
        return real(question)

    monkeypatch.setattr(desk.zone, "lookup", slow)
    names = iter(range(10_000))
    cut = [bool(desk.ask(f"n{next(names)}.example.com").flags & dns.flags.TC) for _ in range(300)]
    assert cut[:199] == [False] * 199
    assert cut[210:] == [True] * 90
    assert addresses(desk.ask("wWw.example.com")) == ["192.0.2.80"]
    assert desk.ask("late.example.com", tcp=True).rcode() == dns.rcode.NXDOMAIN
    desk.clock.seconds += 1.0
    later = [bool(desk.ask(f"n{next(names)}.example.com").flags & dns.flags.TC) for _ in range(300)]
    assert 90 <= later.count(False) <= 110


def test_cookies_and_padding_neither_cost_a_lookup_nor_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_answers, "KEPT_QUERIES", 100)
    for n in range(110):
        cookie = dns.edns.GenericOption(10, n.to_bytes(8, "big"))
        desk.raw(dns.message.make_query("www.example.com", "A", use_edns=0, options=[cookie]).to_wire())
    padded = dns.message.make_query(
        "www.example.com", "A", use_edns=0, options=[dns.edns.GenericOption(12, b"\0" * 900)]
    )
    before = kept(desk)[0]
    assert desk.raw(padded.to_wire()) is not None
    assert desk.zone.lookups == 1
    assert kept(desk)[:2] == (before, 1)
    assert 0 < before <= 100


@pytest.mark.parametrize(
    "name", ["www.example.com", "gone.example.com", "two.example.com", "big.example.com", "example.net"]
)
@pytest.mark.parametrize("options", [{}, {"use_edns": 0}])
def test_letters_of_any_case_are_answered_from_one_lookup(desk: Desk, name: str, options: dict[str, int]) -> None:
    """0x20: each answer is, byte for byte, what a server that had not seen the name before would give."""
    for number in range(32):
        asked = "".join(c.upper() if number >> (at % 5) & 1 else c for at, c in enumerate(name))
        query = dns.message.make_query(asked, "A", id=number, **options).to_wire()
        fresh = Desk()
        given = desk.raw(query)
        assert given is not None
        assert given[:2] == query[:2]
        assert given[12 : 12 + len(name) + 6] == query[12 : 12 + len(name) + 6]
        alternatives = {fresh.raw(query) for _ in range(60 if name.startswith("two") else 1)}
        assert given in alternatives
    assert desk.zone.lookups == 1


def test_a_type_that_looks_like_a_letter_is_not_another(desk: Desk) -> None:
    """Types 65 (HTTPS) and 97 differ as `A` and `a` do."""
    assert dns.message.from_wire(desk.raw(dns.message.make_query("www.example.com", "HTTPS").to_wire()) or b"")
    other = desk.raw(dns.message.make_query("www.example.com", "TYPE97").to_wire()) or b""
    assert dns.message.from_wire(other).question[0].rdtype == 97


def test_any_of_a_name_that_does_not_exist(desk: Desk) -> None:
    assert desk.ask("gone.example.com", "ANY").rcode() == dns.rcode.NXDOMAIN


def test_a_subnet_of_no_bits_is_given_no_scope(desk: Desk) -> None:
    """The answer was made for the resolver's own address; RFC 7871 section 7.2.1."""
    whole = [dns.edns.ECSOption("0.0.0.0", 0)]
    reply = desk.ask("near.example.com", source="127.2.0.1", use_edns=0, options=whole)
    assert (addresses(reply), reply.options[0].scopelen) == (["192.0.2.20"], 0)


def test_the_log_names_each_resolver(desk: Desk) -> None:
    desk.zone.log_queries = True
    for source in ("127.0.0.1", "127.0.0.9"):
        desk.ask("www.example.com", source=source)
    assert [question.resolver for question, _ in desk.zone.logged] == ["127.0.0.1", "127.0.0.9"]


def test_a_forged_flood_is_limited_and_told_to_use_tcp() -> None:
    desk = Desk(RateLimit(per_s=5, burst_s=1, slip=2))
    data = dns.message.make_query("www.example.com", "A").to_wire()
    answers = [desk.raw(data, "198.51.100.7") for _ in range(25)]
    whole = [answer for answer in answers if answer and dns.message.from_wire(answer).answer]
    cut = [answer for answer in answers if answer and dns.message.from_wire(answer).flags & dns.flags.TC]
    assert (len(whole), len(cut), answers.count(None)) == (5, 10, 10)
    assert all(len(each) <= len(data) for each in cut), "what sends a client to TCP is no longer than its question"
    assert desk.raw(data, "198.51.100.7", tcp=True) is not None
    assert desk.raw(data, "203.0.113.7") is not None
    desk.clock.seconds += 1
    assert desk.raw(data, "198.51.100.99") is not None


def test_loopback_is_not_limited() -> None:
    desk = Desk(RateLimit(per_s=1, total_per_s=1, burst_s=1))
    data = dns.message.make_query("www.example.com", "A").to_wire()
    assert all(desk.raw(data, "127.9.9.9") for _ in range(50))


def test_errors_are_limited_too() -> None:
    desk = Desk(RateLimit(per_s=2, burst_s=1, slip=0))
    broken = dns.message.make_query("www.example.com", "A").to_wire() + b"\0"
    assert [desk.raw(broken, "198.51.100.7") is None for _ in range(4)] == [False, False, True, True]


def test_a_defect_in_the_zones_is_a_server_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_question: object) -> None:
        raise KeyError("defect")

    monkeypatch.setattr(desk.zone, "lookup", broken)
    assert desk.ask("www.example.com").rcode() == dns.rcode.SERVFAIL
    monkeypatch.undo()
    assert addresses(desk.ask("www.example.com")) == ["192.0.2.80"]


def test_accounts_are_bounded_and_networks_are_wide() -> None:
    limiter = RateLimiter(RateLimit(per_s=1, total_per_s=0, burst_s=1, accounts=3))
    assert limiter.network("198.51.100.7") == limiter.network("198.51.100.200") == "198.51.100.0"
    assert limiter.network("2001:db8:1:1::1") == limiter.network("2001:db8:1:f::2")
    for n in range(10):
        assert limiter.judge(f"10.0.{n}.0", "x", 0.0) is Verdict.SEND
    assert len(limiter._accounts) == 3
