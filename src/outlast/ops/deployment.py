"""The deployment file: every name, ARN and endpoint an evacuation needs, written beforehand.

On the night it happens the control planes that could tell may be down. The kit evacuates with this file, ARC's cluster
endpoints and nothing else.
https://docs.aws.amazon.com/r53recovery/latest/dg/route53-arc-best-practices.regional.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from outlast.ops.clients import Kind
from outlast.ops.names import NameServer
from outlast.ops.outcome import UsageError
from outlast.ops.plan import throughput

SCHEMA: Final = "outlast.deployment/1"
MOST: Final = 1e9
"""No number in the file is larger."""
PLAIN: Final[Mapping[Any, tuple[type, ...]]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    Mapping: (dict,),
    str | None: (str, type(None)),
    int | None: (int, type(None)),
}
"""What a member of a file is, by its annotation."""
Deployed = Literal["routing-controls", "standby-takes-over"]
"""The switches that the templates can make."""
Switch = Literal["routing-controls", "standby-takes-over", "weighted-records"]
"""What an evacuation can be switched by; weighted records are always there."""


@dataclass(frozen=True, slots=True)
class RegionPart:
    """What runs in one application Region."""

    name: str
    api_id: str
    api_url: str
    api_name: str
    stage: str
    domain: str
    function: str
    canary: str
    alarm: str
    routing_control_arn: str
    health_check_id: str
    code_bucket: str
    observer_canary: str
    observer_alarm: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the three tables, the same in every Region."""

    customers: str
    products: str
    orders: str


@dataclass(frozen=True, slots=True)
class ClusterEndpoint:
    """One of the five endpoints of an ARC cluster."""

    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Arc:
    """The cluster that holds the routing controls; empty where standbys take over. `wait_ms`: the safety rule's wait
    period, None where it is not known."""

    cluster_arn: str
    control_panel_arn: str
    safety_rule_arn: str
    endpoints: tuple[ClusterEndpoint, ...]
    wait_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployed application. `made_at` is ISO 8601; `https_port` differs from 443 in local worlds only."""

    kind: Kind
    application: str
    made_at: str
    zone_id: str
    service_name: str
    record_ttl_s: int
    regions: tuple[RegionPart, ...]
    observer_region: str
    name_canary: str
    tables: Tables
    arc: Arc
    name_servers: tuple[NameServer, ...]
    https_port: int = 443
    ca_path: str | None = None
    canary_period_s: float = 60.0
    alarm_period_s: int = 60
    switch: Deployed = "routing-controls"
    capacity: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """What each Region let in when this was written (`throttle_rps`, `concurrency`): for plans made offline."""
    throughput: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each Region's tables let in and consumed then, as ops.plan.throughput reads it."""

    @property
    def made_s(self) -> float | None:
        """When the file was written, in epoch seconds; None where it does not say: that keeps nobody from acting."""
        try:
            return datetime.fromisoformat(self.made_at).timestamp()
        except (ValueError, OverflowError):
            return None

    @property
    def base_url(self) -> str:
        """The URL that customers use."""
        return f"https://{self.service_name}/v1"

    @property
    def region_names(self) -> tuple[str, ...]:
        """The application's Regions."""
        return tuple(part.name for part in self.regions)

    def region(self, name: str) -> RegionPart:
        """The part in one Region; raises UsageError for a Region that the application does not run in."""
        for part in self.regions:
            if part.name == name:
                return part
        raise UsageError(f"{self.application} does not run in {name}; it runs in {', '.join(self.region_names)}.")

    def others(self, name: str) -> tuple[RegionPart, ...]:
        """The parts in all other Regions."""
        return tuple(part for part in self.regions if part.name != name)


def save(deployment: Deployment, path: Path) -> None:
    """Write the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"schema": SCHEMA, **asdict(deployment)}, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def load(path: Path) -> Deployment:
    """The deployment in a file; raises UsageError that says what to do about a missing or foreign one."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no deployment file at {path}: `outlast deploy` writes one.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The deployment file {path} cannot be read: {error}.") from error
    if not isinstance(read, dict) or read.pop("schema", None) != SCHEMA:
        raise UsageError(f"{path} is not a deployment file of this version; run `outlast deploy` again.")
    try:
        return parse(read)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"The deployment file {path} is damaged ({error}); run `outlast deploy` again.") from error


def parse(read: Mapping[str, Any]) -> Deployment:
    """The deployment in the members of a file; raises KeyError, TypeError and ValueError."""
    arc = read["arc"]
    nested = {
        "regions": tuple(RegionPart(**part) for part in read["regions"]),
        "tables": Tables(**read["tables"]),
        "arc": Arc(
            arc["cluster_arn"],
            arc["control_panel_arn"],
            arc["safety_rule_arn"],
            tuple(ClusterEndpoint(**endpoint) for endpoint in arc["endpoints"]),
            arc.get("wait_ms"),
        ),
        "name_servers": tuple(NameServer(**server) for server in read["name_servers"]),
    }
    made = Deployment(**{**read, **nested})
    try:
        for held in made.throughput.values():
            throughput.parse(held)
    except (ValueError, AttributeError) as error:
        raise TypeError(f"throughput: {error}") from error
    for part in (made, made.tables, made.arc, *made.regions, *made.arc.endpoints, *made.name_servers):
        _check(part)
    if not made.name_servers or not made.regions:
        raise TypeError("it names no Region or no name server")
    _check_places(made)
    return made


def _check_places(made: Deployment) -> None:
    """Raise ValueError for what nothing can be asked at, TypeError for limits that are no numbers."""
    for url in (*(part.api_url for part in made.regions), *(each.url for each in made.arc.endpoints)):
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"{url!r} is no URL")
    for port in (made.https_port, *(each.port for each in made.name_servers)):
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
    for server in made.name_servers:
        ip_address(server.host)
    for held in made.capacity.values():
        if not isinstance(held, dict) or not all(each is None or _is_count(each) for each in held.values()):
            raise TypeError("capacity is not numbers by Region")


def _is_count(value: Any) -> bool:
    """Whether it is a number from 0 on that can be reckoned with; `nan` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def _check(part: Any) -> None:
    """Raise TypeError for a member that is not of its type, ValueError for one that is of no use."""
    for name, hint in get_type_hints(type(part)).items():
        value = getattr(part, name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            raise ValueError(f"{name} is not one of {', '.join(get_args(hint))}")
        wanted = PLAIN.get(hint) or PLAIN.get(get_origin(hint))
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise TypeError(f"{name} is {type(value).__name__}")
        if wanted and isinstance(value, int | float) and not _is_count(value):
            raise ValueError(f"{name} is {value}")
