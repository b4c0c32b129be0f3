"""Route 53's domain values: hosted zones, record sets and health checks. Frozen; changed by making new ones.

Documents on the shelves are in the API's own member names, so that they read like a reply of the API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.rdata import encode, type_number

RecordKey: TypeAlias = tuple[bytes, str, str]
Policy = Literal["simple", "weighted", "latency", "failover", "multivalue"]

SOA_TTL_S: Final = 900
NS_TTL_S: Final = 172_800
ALIAS_TTL_S: Final = 60
ENDPOINT_KINDS: Final = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an alias record points: a record of its own zone, or an endpoint of the cloud."""

    zone_id: str
    name: bytes
    evaluate_health: bool


@dataclass(frozen=True)
class RecordSet:
    """One resource record set. `name` is in wire form; `values` are as given, with `rdata` their wire form."""

    name: bytes
    type: str
    identifier: str = ""
    ttl_s: int | None = None
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    weight: int | None = None
    region: str | None = None
    failover: str | None = None
    multivalue: bool = False
    health_check: str | None = None

    @property
    def key(self) -> RecordKey:
        return (self.name, self.type, self.identifier)

    @property
    def policy(self) -> Policy:
        """The routing policy that the record set takes part in."""
        if self.weight is not None:
            return "weighted"
        if self.region is not None:
            return "latency"
        if self.failover is not None:
            return "failover"
        return "multivalue" if self.multivalue else "simple"

    @cached_property
    def rdata(self) -> tuple[bytes, ...]:
        return tuple(encode(self.type, value) for value in self.values)

    @cached_property
    def list_key(self) -> tuple[str, str, str]:
        """Where ListResourceRecordSets has it."""
        return list_key(*self.key)

    @cached_property
    def type_number(self) -> int:
        return type_number(self.type)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> RecordSet:
        """From the API's ResourceRecordSet; raises BadName. Values are checked where they are changed."""
        alias = document.get("AliasTarget")
        return cls(
            name=dnsnames.wire(document["Name"]),
            type=document["Type"],
            identifier=document.get("SetIdentifier") or "",
            ttl_s=document.get("TTL"),
            values=tuple(each["Value"] for each in document.get("ResourceRecords") or ()),
            alias=None
            if alias is None
            else Alias(
                bare_id(alias["HostedZoneId"]), dnsnames.wire(alias["DNSName"]), bool(alias["EvaluateTargetHealth"])
            ),
            weight=document.get("Weight"),
            region=document.get("Region"),
            failover=document.get("Failover"),
            multivalue=bool(document.get("MultiValueAnswer")),
            health_check=document.get("HealthCheckId") or None,
        )

    def document(self) -> dict[str, Any]:
        """As the API's ResourceRecordSet."""
        found: dict[str, Any] = {"Name": dnsnames.text(self.name), "Type": self.type}
        optional = {
            "SetIdentifier": self.identifier or None,
            "Weight": self.weight,
            "Region": self.region,
            "Failover": self.failover,
            "MultiValueAnswer": self.multivalue or None,
            "TTL": self.ttl_s,
            "HealthCheckId": self.health_check,
        }
        found.update((name, value) for name, value in optional.items() if value is not None)
        if self.values:
            found["ResourceRecords"] = [{"Value": value} for value in self.values]
        if self.alias is not None:
            found["AliasTarget"] = {
                "HostedZoneId": self.alias.zone_id,
                "DNSName": dnsnames.text(self.alias.name),
                "EvaluateTargetHealth": self.alias.evaluate_health,
            }
        return found


def bare_id(given: str) -> str:
    """`Z123` of `/hostedzone/Z123` or `Z123`."""
    return given.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class NameServer:
    """One of a zone's four name servers, and the Region whose DNS answers for it."""

    name: str
    region: str


@dataclass(frozen=True)
class Zone:
    """A public hosted zone. `version` grows with every change; Regions compare it to know how far they are."""

    id: str
    name: bytes
    caller_reference: str
    servers: tuple[NameServer, ...]
    created_ms: int
    records: Mapping[RecordKey, RecordSet] = field(default_factory=dict)
    version: int = 1
    comment: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return dnsnames.text(self.name)

    @property
    def age_key(self) -> tuple[int, str]:
        """Orders zones by age, the oldest first."""
        return (self.created_ms, self.id)

    @cached_property
    def ordered(self) -> tuple[RecordSet, ...]:
        """The record sets as ListResourceRecordSets orders them."""
        return tuple(sorted(self.records.values(), key=lambda each: each.list_key))

    def changed(self, records: Mapping[RecordKey, RecordSet]) -> Zone:
        """The zone with other records, one version on."""
        return replace(self, records=records, version=self.version + 1)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Zone:
        """From its document on the shelf."""
        records = [RecordSet.read(each) for each in document["ResourceRecordSets"]]
        return cls(
            id=document["Id"],
            name=dnsnames.wire(document["Name"]),
            caller_reference=document["CallerReference"],
            servers=tuple(NameServer(each["Name"], each["Region"]) for each in document["NameServers"]),
            created_ms=document["CreatedMs"],
            records={each.key: each for each in records},
            version=document["Version"],
            comment=document.get("Comment", ""),
            tags=document.get("Tags", {}),
        )

    def document(self) -> dict[str, Any]:
        """For the shelf."""
        return {
            "Id": self.id,
            "Name": self.text,
            "CallerReference": self.caller_reference,
            "NameServers": [{"Name": each.name, "Region": each.region} for each in self.servers],
            "CreatedMs": self.created_ms,
            "ResourceRecordSets": [each.document() for each in self.ordered],
            "Version": self.version,
            "Comment": self.comment,
            "Tags": dict(self.tags),
        }


def list_key(name: bytes, kind: str, identifier: str) -> tuple[str, str, str]:
    """The order of ListResourceRecordSets: labels reversed, then type, then set identifier."""
    return (dnsnames.sort_key(name), kind, identifier)


def first_records(name: bytes, servers: Sequence[NameServer]) -> dict[RecordKey, RecordSet]:
    """The NS and SOA record sets that every zone is made with.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html
    """
    ns = RecordSet(name, "NS", ttl_s=NS_TTL_S, values=tuple(f"{each.name}." for each in servers))
    contact = "awsdns-hostmaster.amazon.com."
    soa = RecordSet(name, "SOA", ttl_s=SOA_TTL_S, values=(f"{servers[0].name}. {contact} 1 7200 900 1209600 86400",))
    return {ns.key: ns, soa.key: soa}


@dataclass(frozen=True, slots=True)
class Check:
    """A health check. `config` is the API's HealthCheckConfig with its defaults filled in."""

    id: str
    caller_reference: str
    version: int
    config: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.config["Type"])

    @property
    def is_endpoint(self) -> bool:
        return self.kind in ENDPOINT_KINDS

    @property
    def inverted(self) -> bool:
        return bool(self.config.get("Inverted"))

    @property
    def disabled(self) -> bool:
        return bool(self.config.get("Disabled"))

    @property
    def threshold(self) -> int:
        return int(self.config.get("FailureThreshold", 3))

    @property
    def interval_s(self) -> int:
        return int(self.config.get("RequestInterval", 30))

    @property
    def children(self) -> tuple[str, ...]:
        return tuple(self.config.get("ChildHealthChecks") or ())

    @property
    def control_arn(self) -> str:
        return str(self.config.get("RoutingControlArn", ""))

    @property
    def alarm(self) -> tuple[str, str]:
        """Region and name of the CloudWatch alarm."""
        identifier = self.config.get("AlarmIdentifier") or {"Region": "", "Name": ""}
        return identifier["Region"], identifier["Name"]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Check:
        return cls(
            document["Id"],
            document["CallerReference"],
            document["Version"],
            document["Config"],
            document.get("Tags", {}),
        )

    def document(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "CallerReference": self.caller_reference,
            "Version": self.version,
            "Config": dict(self.config),
            "Tags": dict(self.tags),
        }
