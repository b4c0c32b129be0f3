"""What a world is made of: its Regions, addresses, ports, keys and settings; kept in `world.json` in its folder."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from outlast.cloud.world.files import write_private

DEFAULT_PORT = 4566
DEFAULT_REGIONS = ("us-east-1", "us-west-2", "us-east-2", "eu-west-1", "ap-northeast-1")
AWS_HOMES = {
    "iam": "us-east-1",
    "route53": "us-east-1",
    "route53-recovery-control-config": "us-west-2",
    "route53-recovery-readiness": "us-west-2",
}
VERSION = 1
MAX_SOCKET_PATH = 100


class WorldError(Exception):
    """The world cannot be made or started; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may differ between worlds; all times in the units of their names."""

    replication_delay_ms: tuple[float, float] = (600.0, 1200.0)
    """How long an item change waits on its way to another Region; the default is what AWS's published sample saw."""
    link_delay_ms: tuple[float, float] = (0.0, 0.0)
    """One-way delay of every message between Regions."""
    replication_delays_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """`replication_delay_ms` of links that have their own, by `direction(from, to)`."""
    link_delays_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """`link_delay_ms` of links that have their own, by `direction(from, to)`."""
    health_interval_s: float = 0.0
    """Interval of Route 53 health checkers; 0 keeps what each health check says (10 or 30 s)."""
    shortest_rate_s: float = 1.0
    """The shortest canary schedule that is accepted; AWS accepts one minute."""
    health_event_delay_s: float = 30.0
    """How long after a Region-scoped fault began AWS Health tells of it."""
    data_events: bool = False
    """Does the audit trail record data events (items, objects, invocations) besides management events?"""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Client network prefix -> place on the map, for latency answers; empty takes the built-in map."""


def direction(sender: str, receiver: str) -> str:
    """The name of one direction of a link among a world's delays."""
    return f"{sender}>{receiver}"


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """One world. `hosts` maps each Region to its own address: a loopback one, or a host's."""

    folder: str
    regions: tuple[str, ...]
    hosts: Mapping[str, str]
    front_host: str
    port: int
    link_port: int
    dns_port: int
    https_port: int = 0
    """443 where every Region could listen on it too, otherwise 0."""
    account_id: str = "111122223333"
    settings: Settings = field(default_factory=Settings)
    here: tuple[str, ...] = ()
    """The Regions that this host runs; empty when it runs all."""

    @property
    def local(self) -> tuple[str, ...]:
        """The Regions that this host runs."""
        return self.here or self.regions

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def front_url(self) -> str:
        return f"https://{self.front_host}:{self.port}"

    @property
    def control_path(self) -> Path:
        """The supervisor's own socket; in the system's temporary folder when the world's path is too long for one."""
        path = self.path / "control.sock"
        if len(str(path)) <= MAX_SOCKET_PATH:
            return path
        digest = hashlib.sha256(self.folder.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"outlast-{os.getuid()}-{digest}.sock"

    def homes(self) -> dict[str, str]:
        """Where the control plane of each global service lives: AWS's Region, or the world's first if it lacks that."""
        return {service: region if region in self.regions else self.regions[0] for service, region in AWS_HOMES.items()}

    def region_settings(self, root: tuple[str, str]) -> dict[str, Any]:
        """The settings as every Region gets them."""
        return {
            **asdict(self.settings),
            "root_access_key_id": root[0],
            "root_secret_access_key": root[1],
            "control_home": self.homes(),
            "cluster_regions": self.regions[:5],
        }


def default_folder() -> Path:
    """`$OUTLAST_HOME`, else `outlast` in the user's state folder. Raises WorldError for somebody without a home."""
    given = os.environ.get("OUTLAST_HOME")
    if given:
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return Path(state or Path.home() / ".local" / "state") / "outlast"
    except RuntimeError:
        raise WorldError("There is no home folder: set OUTLAST_HOME, or give --home.") from None


def hosts_of(regions: tuple[str, ...], network: str) -> dict[str, str]:
    """An address for every Region: `network` is the first three numbers, Regions begin at .11."""
    return {region: f"{network}.{11 + index}" for index, region in enumerate(regions)}


def free_port(hosts: tuple[str, ...], *, udp: bool = False, tries: int = 200) -> int:
    """A port that is free on every one of these addresses now."""
    for _ in range(tries):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((hosts[0], 0))
            port: int = probe.getsockname()[1]
        if all(is_free(host, port, udp=udp) for host in hosts):
            return port
    raise WorldError("No port is free on the world's addresses.")


def is_free(host: str, port: int, *, udp: bool = False) -> bool:
    """Can a listener bind here now? Raises WorldError when the address itself cannot be used."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if udp else (socket.SOCK_STREAM,)
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError:
                return False
            except OSError as error:
                if error.errno == 99:
                    raise WorldError(
                        f"The address {host} is not there: add it as an alias of the loopback interface."
                    ) from error
                return False
    return True


def save(config: WorldConfig) -> None:
    """Write `world.json`."""
    write_private(config.path / "world.json", json.dumps(write_config(config), indent=2) + "\n")


def write_config(config: WorldConfig) -> dict[str, Any]:
    """The configuration as a JSON document."""
    return {"version": VERSION, **asdict(config)}


def read_config(document: Mapping[str, Any]) -> WorldConfig:
    """The other end of `write_config`; raises KeyError, TypeError or ValueError for what is no such document."""
    fields = dict(document)
    if fields.pop("version", None) != VERSION:
        raise ValueError("it was written by another version of Outlast")
    settings = dict(fields.pop("settings"))
    for name in ("replication_delay_ms", "link_delay_ms"):
        low, high = settings[name]
        settings[name] = (float(low), float(high))
    for name in ("replication_delays_ms", "link_delays_ms"):
        delays = settings.get(name, {})
        settings[name] = {link: (float(low), float(high)) for link, (low, high) in delays.items()}
    fields["regions"] = tuple(fields["regions"])
    fields["here"] = tuple(fields.get("here", ()))
    return WorldConfig(**fields, settings=Settings(**settings))


def load_config(folder: Path) -> WorldConfig | None:
    """The world in `folder`, or None; raises WorldError when its file cannot be read."""
    path = folder / "world.json"
    try:
        return read_config(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(folder, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WorldError(f"{path} cannot be read: {error}.") from error


def make_folder(folder: Path) -> None:
    """Make the world's folder, for its owner alone; raises WorldError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error) from error


def unusable(folder: Path, error: OSError) -> WorldError:
    """What the user is told of a folder that no world can be kept in."""
    return WorldError(f"The folder {folder} cannot be used: {error.strerror}.")
