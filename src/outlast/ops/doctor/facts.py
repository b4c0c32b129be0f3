"""What the rules look at: AWS's own answers, by Region. What could not be looked at is None and in `unseen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outlast.ops.deployment import Deployment

Document = Mapping[str, Any]
"""Members as boto3 gives them."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be looked at, and why."""

    region: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One replica: DescribeTable, DescribeTimeToLive, DescribeContinuousBackups."""

    table: Document
    ttl: Document | None = None
    backups: Document | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API: who may call it, and what it calls."""

    name: str
    authorization: str
    kind: str
    uri: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """The busiest minute of the time looked at; None where nothing was measured.

    `read_units` and `write_units`: capacity units a second that each table, and each index (`table/index`), consumed.
    """

    requests_per_s: float | None = None
    concurrent_runs: float | None = None
    read_units: Mapping[str, float] = field(default_factory=dict)
    write_units: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """What one application Region is made of.

    `function` is the version that the API invokes; `statements` are those of its role's policies.
    """

    name: str
    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    table_limits: Document | None = None
    scaling: Mapping[str, Document] | None = None
    """Of DescribeTableReplicaAutoScaling, this Region's part, by table; None where nothing scales or nobody tells."""
    function: Document | None = None
    reserved: int | None = None
    lambda_account: Document | None = None
    statements: tuple[Document, ...] | None = None
    api: Document | None = None
    api_account: Document | None = None
    methods: tuple[Method, ...] | None = None
    stage: Document | None = None
    domain: Document | None = None
    mappings: tuple[Document, ...] | None = None
    certificate: Document | None = None
    alarms: tuple[Document, ...] | None = None
    canary: Document | None = None
    traffic: Traffic = Traffic()
    quotas: tuple[Document, ...] | None = None
    """Of Service Quotas; None where they were not asked."""


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """The routing controls: what each cached endpoint answered (empty: it did), and what the control plane says."""

    endpoints: Mapping[str, str]
    states: Mapping[str, bool]
    cluster: Document | None = None
    controls: tuple[Document, ...] | None = None
    rules: tuple[Document, ...] | None = None


@dataclass(frozen=True, slots=True)
class NameFacts:
    """The zone's records and the health checks by id; None for a health check that does not exist."""

    records: tuple[Document, ...] | None = None
    checks: Mapping[str, Document | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything, as of `at_s` (epoch seconds). `observer_alarms`: those of the observer's Region. `not_asked`: what
    there is nobody to ask for at this target, in words. `answers`: what was wrong when each Region's API was knocked
    at, empty where nothing was; without a Region that was not."""

    at_s: float
    deployment: Deployment
    regions: tuple[RegionFacts, ...]
    switch: SwitchFacts
    names: NameFacts
    observer_alarms: tuple[Document, ...] | None = None
    unseen: tuple[Unseen, ...] = ()
    not_asked: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
