"""The options of `outlast up` as a world's configuration; what no world could have is refused in one line."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from pathlib import Path

from outlast.cloud.identity.credentials import looks_real
from outlast.cloud.world import config as configuration
from outlast.cloud.world.config import Settings, WorldConfig, WorldError
from outlast.cloud.world.worldfile import read_world

PORT = 4566
NETWORK = "127.66.0"
FRONT = "127.0.0.1"
"""Where a new world listens unless told otherwise."""
REGION = re.compile(r"[a-z]{2}(-[a-z]{1,12}){1,3}-[0-9]{1,2}")
KEY_ID = re.compile(r"[A-Za-z0-9_]{3,128}")


def prepare(
    folder: Path,
    port: int | None,
    network: str | None,
    host: str | None,
    regions: tuple[str, ...],
    replication_delay_ms: str,
    health_interval_s: float,
    https_port: int = 443,
    data_events: bool = False,
) -> WorldConfig:
    """The configuration of the world to start. One that exists keeps its Regions, its account and, unless told
    otherwise, its addresses and port: deployment files and environments name them."""
    known = configuration.load_config(folder)
    names = regions or (known.regions if known else configuration.DEFAULT_REGIONS)
    if len(set(names)) != len(names) or not 1 <= len(names) <= 9:
        raise WorldError("A world has one to nine Regions, each once.")
    strange = [name for name in names if not REGION.fullmatch(name)]
    if strange:
        raise WorldError(f"{strange[0]} is not the name of a Region, as us-east-1 is.")
    host = host or (known.front_host if known else FRONT)
    check_addresses(host, network or NETWORK)
    if known is not None and set(names) != set(known.regions):
        raise WorldError(f"The world in {folder} has the Regions {', '.join(known.regions)}; use another --home.")
    hosts = hosts_for(names, network, known)
    if port is None:
        port = known.port if known else PORT
    every = (host, *hosts.values())
    if port == 0:
        port = configuration.free_port(every)
    link_port = configuration.free_port(tuple(hosts.values()))
    while link_port == port:
        link_port = configuration.free_port(tuple(hosts.values()))
    dns_port = dns_port_of(known, tuple(hosts.values()))
    if https_port and not all(configuration.is_free(each, https_port) for each in hosts.values()):
        https_port = 0
    return WorldConfig(
        folder=str(folder),
        regions=names,
        hosts=hosts,
        front_host=host,
        port=port,
        link_port=link_port,
        dns_port=dns_port,
        https_port=https_port,
        account_id=known.account_id if known else "111122223333",
        settings=Settings(
            replication_delay_ms=delay_of(replication_delay_ms),
            health_interval_s=health_interval_s,
            data_events=data_events,
        ),
    )


def hosts_for(names: tuple[str, ...], network: str | None, known: WorldConfig | None) -> dict[str, str]:
    """The Regions' addresses: those that they had, else those of the network; other hosts' are told by a world file."""
    if network is None and known and all(ipaddress.ip_address(each).is_loopback for each in known.hosts.values()):
        return {name: known.hosts[name] for name in names}
    return configuration.hosts_of(names, network or NETWORK)


def dns_port_of(known: WorldConfig | None, hosts: tuple[str, ...]) -> int:
    """The port that the world's DNS servers had before, for deployment files name it; else 53 where it may be taken."""
    wanted: list[int] = [known.dns_port, 53] if known else [53]
    for port in wanted:
        if all(configuration.is_free(each, port, udp=True) for each in hosts):
            return port
    return configuration.free_port(hosts, udp=True)


def prepare_filed(
    file: Path, folder: Path, host: str, replication_delay_ms: str, health_interval_s: float, data_events: bool = False
) -> WorldConfig:
    """The configuration that a world file describes; options give what the file leaves out."""
    settings = Settings(
        replication_delay_ms=delay_of(replication_delay_ms),
        health_interval_s=health_interval_s,
        data_events=data_events,
    )
    config = read_world(file, folder, host, settings)
    strange = [name for name in config.regions if not REGION.fullmatch(name)]
    if strange:
        raise WorldError(f"{strange[0]} is not the name of a Region, as us-east-1 is.")
    known = configuration.load_config(folder)
    if known is None:
        return config
    if set(known.regions) != set(config.regions):
        raise WorldError(f"The world in {folder} has the Regions {', '.join(known.regions)}; use another --home.")
    return replace(config, account_id=known.account_id)


def check_addresses(host: str, network: str) -> None:
    """Raise WorldError for addresses that no listener could have."""
    for option, address in (("--host", host), ("--network", f"{network}.11")):
        try:
            loopback = ipaddress.IPv4Address(address).is_loopback
        except ValueError:
            raise WorldError(f"{option} takes numbers of an IPv4 address, not {address}.") from None
        if option == "--network" and not loopback:
            raise WorldError(f"--network takes a loopback network such as 127.66.0, not {network}.")


def delay_of(text: str) -> tuple[float, float]:
    """LOW-HIGH or `none` as milliseconds."""
    if text == "none":
        return 0.0, 0.0
    low, separator, high = text.partition("-")
    try:
        pair = float(low), float(high if separator else low)
    except ValueError:
        raise WorldError(f"--replication-delay-ms takes LOW-HIGH or none, not {text}.") from None
    if not 0 <= pair[0] <= pair[1] <= 600_000:
        raise WorldError("--replication-delay-ms needs 0 <= LOW <= HIGH <= 600000.")
    return pair


def key_of(text: str | None) -> tuple[str, str] | None:
    """ACCESS_KEY_ID:SECRET as a pair; raises WorldError for none, and for a key that may be AWS's own."""
    if text is None:
        return None
    key, separator, secret = text.partition(":")
    if not separator or not secret or KEY_ID.fullmatch(key) is None:
        raise WorldError("--access-key takes ACCESS_KEY_ID:SECRET, an id of 3 to 128 letters, digits and underscores.")
    if looks_real(key):
        raise WorldError(f"--access-key: {key} may be a key of AWS's own; a world takes made-up ones only.")
    return key, secret
