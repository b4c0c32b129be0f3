"""The door between the sockets that speak DNS and the service that knows the zones.

The gateway turns packets into a `Question` and an `Answer` into packets; it knows no zones. The service that keeps the
zones implements `Names`; it knows no sockets. Both speak the frozen values below. Names are in uncompressed wire form
(RFC 1035, section 3.1): length-prefixed labels that end with the zero byte of the root, in lower case.
"""

from __future__ import annotations

import ipaddress
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Protocol

IPv4or6Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Rcode(IntEnum):
    """Response codes of RFC 1035 section 4.1.1 and, above 15, RFC 6891 section 9."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class RecordType(IntEnum):
    """The record types that the cloud serves, and those a query may name that it treats specially."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    OPT = 41
    DS = 43
    SSHFP = 44
    TLSA = 52
    SVCB = 64
    HTTPS = 65
    SPF = 99
    IXFR = 251
    AXFR = 252
    ANY = 255
    CAA = 257


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of class IN, its data already in wire form."""

    name: bytes
    type: int
    ttl_s: int
    rdata: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks, and from where.

    `resolver` is the address that sent the query. `client` is the address it asks for: the client subnet of RFC 7871
    when it sent one (`subnet_bits` leading bits count), otherwise the resolver's own (`subnet_bits` is None).
    """

    name: bytes
    type: int
    resolver: str
    client: str
    subnet_bits: int | None = None
    tcp: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer.

    `scope_bits` says how many leading bits of the client's address the answer depends on (0: none), for RFC 7871.
    `zone_id` is the hosted zone that answered, None for the cloud's own names and for refusals.
    """

    rcode: Rcode
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = True
    scope_bits: int = 0
    zone_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """The answers that a question may get, with whole-number weights; each query draws one of them.

    `cacheable` is False when the alternatives were too many to list and the choice was made in the lookup already.
    `logged` is True when every query has to be reported through `Names.log`.
    """

    answers: tuple[Answer, ...]
    bounds: tuple[int, ...] = (1,)
    cacheable: bool = True
    logged: bool = False

    @classmethod
    def one(cls, answer: Answer, *, logged: bool = False) -> Draw:
        """The draw that always gives `answer`."""
        return cls((answer,), logged=logged)

    def index(self, uniform: float) -> int:
        """The alternative that `uniform`, a number in [0, 1), selects."""
        return bisect_right(self.bounds, int(uniform * self.bounds[-1]))


REFUSED = Draw.one(Answer(Rcode.REFUSED, authoritative=False))


class Names(Protocol):
    """What a Region's DNS knows. Every method is synchronous and reads only what the Region itself holds."""

    @property
    def generation(self) -> int:
        """Grows whenever an earlier lookup might now be answered differently; kept answers end with it."""
        ...

    def place(self, address: str) -> str:
        """The place that queries from `address` come from; clients of one place get the same answers."""
        ...

    def lookup(self, question: Question) -> Draw:
        """The answers to `question`; REFUSED outside the zones served here. Never raises."""
        ...

    def count(self, queries: Mapping[str, int]) -> None:
        """Add to the number of queries that each hosted zone has answered."""
        ...

    def log(self, question: Question, answer: Answer) -> None:
        """Report one answered query of a zone that keeps a query log."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the globe, in degrees."""

    latitude: float
    longitude: float


REGION_PLACES: Mapping[str, Place] = {
    "af-south-1": Place(-33.9, 18.4),
    "ap-east-1": Place(22.3, 114.2),
    "ap-east-2": Place(25.0, 121.5),
    "ap-northeast-1": Place(35.6, 139.7),
    "ap-northeast-2": Place(37.5, 127.0),
    "ap-northeast-3": Place(34.7, 135.5),
    "ap-south-1": Place(19.1, 72.9),
    "ap-south-2": Place(17.4, 78.5),
    "ap-southeast-1": Place(1.35, 103.8),
    "ap-southeast-2": Place(-33.9, 151.2),
    "ap-southeast-3": Place(-6.2, 106.8),
    "ap-southeast-4": Place(-37.8, 145.0),
    "ap-southeast-5": Place(3.1, 101.7),
    "ap-southeast-6": Place(-36.8, 174.8),
    "ap-southeast-7": Place(13.8, 100.5),
    "ca-central-1": Place(45.5, -73.6),
    "ca-west-1": Place(51.0, -114.1),
    "eu-central-1": Place(50.1, 8.7),
    "eu-central-2": Place(47.4, 8.5),
    "eu-north-1": Place(59.3, 18.1),
    "eu-south-1": Place(45.5, 9.2),
    "eu-south-2": Place(41.6, -0.9),
    "eu-west-1": Place(53.3, -6.3),
    "eu-west-2": Place(51.5, -0.1),
    "eu-west-3": Place(48.9, 2.4),
    "il-central-1": Place(32.1, 34.8),
    "me-central-1": Place(25.3, 55.3),
    "me-south-1": Place(26.2, 50.6),
    "mx-central-1": Place(20.6, -100.4),
    "sa-east-1": Place(-23.5, -46.6),
    "us-east-1": Place(39.0, -77.5),
    "us-east-2": Place(40.0, -83.0),
    "us-west-1": Place(37.4, -122.0),
    "us-west-2": Place(45.8, -119.7),
}
"""Where AWS says its Regions are; the table also names the places clients may be in."""

CLIENT_PLACES: Mapping[str, Place] = {
    "us-east-coast": Place(40.7, -74.0),
    "us-west-coast": Place(37.8, -122.4),
    "europe": Place(48.9, 2.4),
    "asia": Place(35.7, 139.7),
    "south-america": Place(-23.5, -46.6),
    "africa": Place(-33.9, 18.4),
    "australia": Place(-33.9, 151.2),
}

DEFAULT_NETWORKS: Mapping[str, str] = {
    "127.1.0.0/16": "us-east-coast",
    "127.2.0.0/16": "us-west-coast",
    "127.3.0.0/16": "europe",
    "127.4.0.0/16": "asia",
    "127.5.0.0/16": "south-america",
    "127.6.0.0/16": "africa",
    "127.7.0.0/16": "australia",
    "192.0.2.0/24": "us-east-coast",
    "198.51.100.0/24": "us-west-coast",
    "203.0.113.0/24": "europe",
    "2001:db8:1::/48": "us-east-coast",
    "2001:db8:2::/48": "us-west-coast",
    "2001:db8:3::/48": "europe",
    "2001:db8:4::/48": "asia",
}
"""Client networks of a world that was given none: loopback sub-networks, and the prefixes kept for documentation."""

EARTH_RADIUS_KM = 6371.0
FIBRE_KM_PER_MS = 200.0
DETOUR = 1.4
ACCESS_MS = 4.0


def round_trip_ms(a: Place, b: Place) -> float:
    """Milliseconds there and back: light in fibre along the great circle, a usual detour, and the last mile."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    d_lon = math.radians(b.longitude - a.longitude)
    haversine = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(d_lon / 2) ** 2
    distance_km = 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(haversine)))
    return 2 * distance_km * DETOUR / FIBRE_KM_PER_MS + ACCESS_MS


@dataclass(frozen=True)
class WorldMap:
    """Which place a client network is in, and how far each place is from each Region.

    `networks` maps prefixes to names of places; the longest prefix wins, an address in none is in `elsewhere`.
    `places` may add to or move the built-in ones. `latency_ms` overrides the computed round trip for (place, Region).
    """

    networks: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_NETWORKS))
    places: Mapping[str, Place] = field(default_factory=dict)
    latency_ms: Mapping[tuple[str, str], float] = field(default_factory=dict)
    elsewhere: str = "us-east-coast"

    def locate(self, address: str) -> tuple[str, int]:
        """The place of `address` and the length of the prefix that says so (0 when none does)."""
        return self._located(address)

    @cached_property
    def _located(self) -> Callable[[str], tuple[str, int]]:
        """Addresses ask again and again; the latest of them are remembered."""
        return lru_cache(maxsize=4_096)(self._locate)

    def _locate(self, address: str) -> tuple[str, int]:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return self.elsewhere, 0
        for network, bits, place in _compiled(tuple(self.networks.items())):
            if ip.version == network.version and ip in network:
                return place, bits
        return self.elsewhere, 0

    def distance_ms(self, place: str, region: str) -> float:
        """Round trip between a place and a Region; an unknown one is infinitely far."""
        measured = self.latency_ms.get((place, region))
        if measured is not None:
            return measured
        here, there = self._point(place), self._point(region)
        return math.inf if here is None or there is None else round_trip_ms(here, there)

    def _point(self, name: str) -> Place | None:
        return self.places.get(name) or CLIENT_PLACES.get(name) or REGION_PLACES.get(name)


@lru_cache(maxsize=64)
def _compiled(networks: tuple[tuple[str, str], ...]) -> tuple[tuple[IPv4or6Network, int, str], ...]:
    """The prefixes parsed and ordered longest first; raises ValueError for text that is no prefix."""
    parsed = [(ipaddress.ip_network(prefix), place) for prefix, place in networks]
    return tuple(
        (network, network.prefixlen, place) for network, place in sorted(parsed, key=lambda p: -p[0].prefixlen)
    )
