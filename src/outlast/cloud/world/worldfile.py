"""A world file: which Regions there are, at which addresses, and how far they are from one another.

    {
      "regions": {"us-east-1": {"host": "10.0.0.1"}, "us-west-2": {"host": "10.0.0.2"}},
      "port": 4566, "link_port": 4567, "dns_port": 4568, "https_port": 0,
      "replication_delay_ms": [600, 1200], "link_delay_ms": [0, 0],
      "pairs": [{"regions": ["us-east-1", "us-west-2"], "replication_delay_ms": [30, 60], "link_delay_ms": [20, 30]}]
    }

Every host gets the same file and runs the Regions whose addresses are its own. All but `regions` may be left out.
"""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from outlast.cloud.world.config import Settings, WorldConfig, WorldError, direction

DEFAULTS = {"port": 4566, "link_port": 4567, "dns_port": 4568, "https_port": 0}
DELAYS = ("replication_delay_ms", "link_delay_ms")
MEMBERS = frozenset({"regions", "pairs", *DEFAULTS, *DELAYS})
LONGEST_DELAY_MS = 600_000


def read_world(path: Path, folder: Path, front_host: str, settings: Settings) -> WorldConfig:
    """The world that the file describes, as this host runs it; raises WorldError with what is wrong."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WorldError(f"The world file {path} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise WorldError(f"The world file {path} must hold one JSON object.")
    _refuse_unknown(document, MEMBERS, "the world file")
    hosts = dict(_hosts(document.get("regions")))
    ports = {name: _port(document.get(name, default), name) for name, default in DEFAULTS.items()}
    used = [port for port in ports.values() if port]
    if len(set(used)) != len(used):
        raise WorldError("The ports of a world file must differ from one another.")
    here = tuple(region for region, host in hosts.items() if is_ours(host))
    if not here:
        raise WorldError(f"None of the addresses in {path} is this host's own: {', '.join(hosts.values())}.")
    pairs = _pairs(document.get("pairs", ()), hosts)
    return WorldConfig(
        folder=str(folder),
        regions=tuple(hosts),
        hosts=hosts,
        front_host=front_host,
        port=ports["port"],
        link_port=ports["link_port"],
        dns_port=ports["dns_port"],
        https_port=ports["https_port"],
        settings=replace(
            settings,
            replication_delay_ms=_delay_in(document, "replication_delay_ms", settings.replication_delay_ms),
            link_delay_ms=_delay_in(document, "link_delay_ms", settings.link_delay_ms),
            replication_delays_ms=pairs["replication_delay_ms"],
            link_delays_ms=pairs["link_delay_ms"],
        ),
        here=here,
    )


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise WorldError(f"There is no {unknown[0]} in {what}; it knows {', '.join(sorted(known))}.")


def _hosts(given: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, dict) or not 1 <= len(given) <= 9:
        raise WorldError("A world file needs `regions`: one to nine, each with its host.")
    seen = set()
    for region, about in given.items():
        if not isinstance(about, dict) or not isinstance(about.get("host"), str):
            raise WorldError(f'The Region {region} needs an address: {{"host": "10.0.0.1"}}.')
        _refuse_unknown(about, frozenset({"host"}), f"the Region {region} of the world file")
        if about["host"] in seen:
            raise WorldError(f"The address {about['host']} is given to two Regions.")
        seen.add(about["host"])
        yield region, about["host"]


def _port(given: Any, name: str) -> int:
    if (
        not isinstance(given, int)
        or isinstance(given, bool)
        or not (0 if name == "https_port" else 1) <= given < 65_536
    ):
        raise WorldError(f"{name} must be a port, not {given!r}.")
    return given


def _delay_in(document: Mapping[str, Any], name: str, default: tuple[float, float]) -> tuple[float, float]:
    return _delay(document[name], name) if name in document else default


def _delay(given: Any, name: str) -> tuple[float, float]:
    if (
        not isinstance(given, list)
        or len(given) != 2
        or not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in given)
        or not 0 <= given[0] <= given[1] <= LONGEST_DELAY_MS
    ):
        raise WorldError(f"{name} must be [LOW, HIGH] with 0 <= LOW <= HIGH <= {LONGEST_DELAY_MS} ms, not {given!r}.")
    return float(given[0]), float(given[1])


def _pairs(given: Any, hosts: Mapping[str, str]) -> dict[str, dict[str, tuple[float, float]]]:
    found: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in DELAYS}
    if not isinstance(given, (list, tuple)):
        raise WorldError("`pairs` must be a list.")
    for pair in given:
        regions = pair.get("regions") if isinstance(pair, dict) else None
        if (
            not isinstance(regions, list)
            or len(regions) != 2
            or regions[0] == regions[1]
            or not set(regions) <= set(hosts)
        ):
            raise WorldError(f"A pair needs two `regions` of the world, not {regions!r}.")
        _refuse_unknown(pair, frozenset({"regions", *DELAYS}), "a pair of the world file")
        for name in DELAYS:
            if name in pair:
                for one, other in (regions, regions[::-1]):
                    found[name][direction(one, other)] = _delay(pair[name], name)
    return found


def is_ours(host: str) -> bool:
    """Whether this host has the address; raises WorldError for what is no address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise WorldError(f"{host} is not an address that can be used: {error}.") from error
    return True
