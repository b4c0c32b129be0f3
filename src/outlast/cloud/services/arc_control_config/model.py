"""Clusters, control panels, routing controls and safety rules as frozen values, and their ARNs.

https://docs.aws.amazon.com/recovery-cluster/latest/api/resources.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

PENDING, DEPLOYED = "PENDING", "DEPLOYED"
_ARN = re.compile(
    r"arn:aws:route53-recovery-control::(\d{12}):"
    r"(?:(cluster)/([0-9a-f-]{36})|controlpanel/([0-9a-f]{32})(?:/(routingcontrol|safetyrule)/([0-9a-f]{16}))?)"
)
_PARTS = {"routingcontrol": "control", "safetyrule": "rule"}


def _no_tags() -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Five endpoints, the container of control panels."""

    noun: ClassVar[str] = "cluster"
    id: str
    name: str
    network_type: str = "IPV4"
    status: str = PENDING
    token: str = ""
    tags: Mapping[str, str] = field(default_factory=_no_tags)

    @property
    def key(self) -> str:
        """Where it stands on the shelf."""
        return f"cluster/{self.id}"


@dataclass(frozen=True, slots=True)
class Panel:
    """A group of routing controls that change together."""

    noun: ClassVar[str] = "control panel"
    id: str
    cluster: str
    name: str
    is_default: bool = False
    status: str = PENDING
    token: str = ""
    tags: Mapping[str, str] = field(default_factory=_no_tags)

    @property
    def key(self) -> str:
        """Where it stands on the shelf."""
        return f"panel/{self.id}"


@dataclass(frozen=True, slots=True)
class Control:
    """A switch; its state is the data plane's."""

    noun: ClassVar[str] = "routing control"
    id: str
    panel: str
    cluster: str
    name: str
    status: str = PENDING
    token: str = ""

    @property
    def key(self) -> str:
        """Where it stands on the shelf."""
        return f"control/{self.panel}/{self.id}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A safety rule. `judged` are the asserted or the gating controls; `targets` are empty for an assertion."""

    noun: ClassVar[str] = "safety rule"
    id: str
    panel: str
    cluster: str
    name: str
    kind: str
    judged: tuple[str, ...]
    targets: tuple[str, ...]
    type: str
    threshold: int
    inverted: bool
    wait_ms: int
    status: str = PENDING
    token: str = ""
    tags: Mapping[str, str] = field(default_factory=_no_tags)

    @property
    def key(self) -> str:
        """Where it stands on the shelf."""
        return f"rule/{self.panel}/{self.id}"


Resource = Cluster | Panel | Control | Rule
_KINDS: Mapping[str, type[Resource]] = {"cluster": Cluster, "panel": Panel, "control": Control, "rule": Rule}


def revive(key: str, document: Mapping[str, Any]) -> Resource:
    """The value of a document on the shelf."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        fields[name] = tuple(value) if isinstance(value, list) else value
    return _KINDS[key.partition("/")[0]](**fields)


def arn_of(account_id: str, resource: Resource) -> str:
    """The resource's ARN; ARC's ARNs name no Region."""
    start = f"arn:aws:route53-recovery-control::{account_id}"
    if isinstance(resource, Cluster):
        return f"{start}:cluster/{resource.id}"
    if isinstance(resource, Panel):
        return f"{start}:controlpanel/{resource.id}"
    part = "routingcontrol" if isinstance(resource, Control) else "safetyrule"
    return f"{start}:controlpanel/{resource.panel}/{part}/{resource.id}"


def key_of(account_id: str, arn: str) -> str:
    """The shelf's key of what an ARN names; empty when it can name nothing of this account."""
    match = _ARN.fullmatch(arn)
    if match is None or match[1] != account_id:
        return ""
    if match[2]:
        return f"cluster/{match[3]}"
    if match[5]:
        return f"{_PARTS[match[5]]}/{match[4]}/{match[6]}"
    return f"panel/{match[4]}"


def control_arn(account_id: str, panel: str, control_id: str) -> str:
    """The ARN of a routing control that is known by its ids."""
    return f"arn:aws:route53-recovery-control::{account_id}:controlpanel/{panel}/routingcontrol/{control_id}"
