"""CloudFormation's Route 53 types, as wire calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_Route53.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException

FIRST_SYNC_POLL_S: Final = 0.25
LAST_SYNC_POLL_S: Final = 2.0
SYNC_POLLS: Final = 24
RECORD_MEMBERS: Final = (
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "GeoProximityLocation",
    "CidrRoutingConfig",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "HealthCheckId",
)


async def _in_sync(aws: Calls, reply: Mapping[str, Any]) -> None:
    """Wait, for about a minute at most, until every name server answers from the change.

    One that is cut off learns of it when it is not; each question about the change then takes two seconds.
    """
    change_id = reply["ChangeInfo"]["Id"]
    poll_s = FIRST_SYNC_POLL_S
    for _ in range(SYNC_POLLS):
        info = (await aws("route53", "GetChange", {"Id": change_id.rpartition("/")[2]}))["ChangeInfo"]
        if info["Status"] == "INSYNC":
            return
        await aws.sleep(poll_s)
        poll_s = min(LAST_SYNC_POLL_S, 1.3 * poll_s)


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() == "true"


def record_set(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The API's ResourceRecordSet of a template's record set."""
    record = {member: properties[member] for member in RECORD_MEMBERS if properties.get(member) is not None}
    for member in ("TTL", "Weight"):
        if member in record:
            record[member] = int(record[member])
    if "MultiValueAnswer" in record:
        record["MultiValueAnswer"] = _truth(record["MultiValueAnswer"])
    if properties.get("ResourceRecords"):
        record["ResourceRecords"] = [{"Value": str(value)} for value in properties["ResourceRecords"]]
    alias = properties.get("AliasTarget")
    if alias:
        record["AliasTarget"] = {
            "HostedZoneId": alias["HostedZoneId"],
            "DNSName": alias["DNSName"],
            "EvaluateTargetHealth": _truth(alias.get("EvaluateTargetHealth", False)),
        }
    return record


async def zone_id_of(aws: Calls, properties: Mapping[str, Any]) -> str:
    """The hosted zone that the properties name, by id or by name."""
    if properties.get("HostedZoneId"):
        return str(properties["HostedZoneId"]).rpartition("/")[2]
    name = str(properties.get("HostedZoneName") or "")
    if not name:
        raise ValidationException("One of HostedZoneId and HostedZoneName must be specified.")
    wanted = name.lower().rstrip(".") + "."
    listed = await aws("route53", "ListHostedZonesByName", {"DNSName": wanted, "MaxItems": "100"})
    found = [zone["Id"] for zone in listed["HostedZones"] if zone["Name"] == wanted]
    if len(found) != 1:
        what = "No hosted zones" if not found else "Multiple hosted zones"
        raise ValidationException(f"{what} named {wanted} found.")
    return str(found[0]).rpartition("/")[2]


async def _change(aws: Calls, zone_id: str, actions: Sequence[tuple[str, dict[str, Any]]], comment: str = "") -> None:
    changes = [{"Action": action, "ResourceRecordSet": record} for action, record in actions]
    batch: dict[str, Any] = {"Changes": changes, **({"Comment": comment} if comment else {})}
    reply = await aws("route53", "ChangeResourceRecordSets", {"HostedZoneId": zone_id, "ChangeBatch": batch})
    await _in_sync(aws, reply)


def _key(record: Mapping[str, Any]) -> tuple[str, str, str]:
    name = str(record["Name"]).lower().rstrip(".") + "."
    return name.replace("*", "\\052"), record["Type"], record.get("SetIdentifier", "")


async def _existing(aws: Calls, zone_id: str, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record set with this name, type and identifier, as the zone has it."""
    name, kind, identifier = _key(record)
    start: dict[str, Any] = {"HostedZoneId": zone_id, "StartRecordName": name, "StartRecordType": kind}
    listed = await aws("route53", "ListResourceRecordSets", {**start, "MaxItems": "300"})
    for each in listed["ResourceRecordSets"]:
        if _key(each) == (name, kind, identifier):
            return dict(each)
    return None


async def _create(aws: Calls, zone_id: str, records: Sequence[dict[str, Any]], comment: str) -> None:
    """Create the record sets; that all of them are there already, just so, is a creation resumed."""
    try:
        await _change(aws, zone_id, [("CREATE", record) for record in records], comment)
    except Fault as fault:
        if "already exists" not in fault.message:
            raise
        for record in records:
            found = await _existing(aws, zone_id, record)
            if found is None or _comparable(found) != _comparable(record):
                raise fault from None


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    alias = record.get("AliasTarget")
    plain = {**record, "Name": _key(record)[0]}
    if alias:
        plain["AliasTarget"] = {**alias, "DNSName": str(alias["DNSName"]).lower().rstrip(".") + "."}
    return plain


async def _delete(aws: Calls, zone_id: str, records: Sequence[dict[str, Any]]) -> None:
    """Delete what is there of the record sets, with the values it has."""
    try:
        found = [await _existing(aws, zone_id, record) for record in records]
        actions = [("DELETE", each) for each in found if each is not None]
        if actions:
            await _change(aws, zone_id, actions)
    except Fault as fault:
        if fault.code != "NoSuchHostedZone":
            raise


def _tags(given: Any) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in given or ()}


async def _retag(aws: Calls, kind: str, resource_id: str, old: Any, new: Any) -> None:
    before, after = _tags(old), _tags(new)
    params: dict[str, Any] = {"ResourceType": kind, "ResourceId": resource_id}
    if after:
        params["AddTags"] = [{"Key": key, "Value": value} for key, value in after.items()]
    if before.keys() - after.keys():
        params["RemoveTagKeys"] = sorted(before.keys() - after.keys())
    if len(params) > 2:
        await aws("route53", "ChangeTagsForResource", params)


class HostedZone:
    """AWS::Route53::HostedZone. Ref gives the id; attributes Id and NameServers."""

    type_name = "AWS::Route53::HostedZone"
    properties = frozenset({"Name", "HostedZoneConfig", "HostedZoneTags", "QueryLoggingConfig"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        """Make the zone, or find the one that an interrupted creation made."""
        reference = f"{stack.name}-{stack.logical_id}-{stack.suffix}"[-128:]
        params: dict[str, Any] = {"Name": properties["Name"], "CallerReference": reference}
        if properties.get("HostedZoneConfig"):
            params["HostedZoneConfig"] = properties["HostedZoneConfig"]
        try:
            reply = await aws("route53", "CreateHostedZone", params)
            zone_id = reply["HostedZone"]["Id"].rpartition("/")[2]
            await _in_sync(aws, reply)
        except Fault as fault:
            if fault.code != "HostedZoneAlreadyExists":
                raise
            zone_id = await self._made_before(aws, reference, fault)
        await _retag(aws, "hostedzone", zone_id, None, properties.get("HostedZoneTags"))
        await self._log(aws, zone_id, properties.get("QueryLoggingConfig"))
        return await self._made(aws, zone_id)

    async def _made_before(self, aws: Calls, reference: str, fault: Fault) -> str:
        marker: dict[str, Any] = {}
        while True:
            listed = await aws("route53", "ListHostedZones", marker)
            for zone in listed["HostedZones"]:
                if zone["CallerReference"] == reference:
                    return str(zone["Id"]).rpartition("/")[2]
            if not listed["IsTruncated"]:
                raise fault
            marker = {"Marker": listed["NextMarker"]}

    async def _made(self, aws: Calls, zone_id: str) -> Made:
        found = await aws("route53", "GetHostedZone", {"Id": zone_id})
        return Made(zone_id, {"Id": zone_id, "NameServers": found["DelegationSet"]["NameServers"]})

    async def _log(self, aws: Calls, zone_id: str, config: Mapping[str, Any] | None) -> None:
        """Let the zone log its queries as the property says."""
        listed = await aws("route53", "ListQueryLoggingConfigs", {"HostedZoneId": zone_id})
        wanted = None if not config else str(config["CloudWatchLogsLogGroupArn"]).removesuffix(":*")
        for each in listed["QueryLoggingConfigs"]:
            if each["CloudWatchLogsLogGroupArn"] == wanted:
                return
            await aws("route53", "DeleteQueryLoggingConfig", {"Id": each["Id"]})
        if wanted:
            params = {"HostedZoneId": zone_id, "CloudWatchLogsLogGroupArn": wanted}
            await aws("route53", "CreateQueryLoggingConfig", params)

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        """Comment, tags and query logging change in place; another name is another zone."""
        if old["Name"] != new["Name"]:
            return None
        comment = (new.get("HostedZoneConfig") or {}).get("Comment", "")
        await aws("route53", "UpdateHostedZoneComment", {"Id": physical_id, "Comment": comment})
        await _retag(aws, "hostedzone", physical_id, old.get("HostedZoneTags"), new.get("HostedZoneTags"))
        await self._log(aws, physical_id, new.get("QueryLoggingConfig"))
        return await self._made(aws, physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        """Delete the zone; it must be empty."""
        try:
            await aws("route53", "DeleteHostedZone", {"Id": physical_id})
        except Fault as fault:
            if fault.code != "NoSuchHostedZone":
                raise


class RecordSetType:
    """AWS::Route53::RecordSet. Ref gives the name."""

    type_name = "AWS::Route53::RecordSet"
    properties = frozenset(
        {*RECORD_MEMBERS, "ResourceRecords", "AliasTarget", "HostedZoneId", "HostedZoneName", "Comment"}
    )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        """Create the record set in its zone."""
        zone_id = await zone_id_of(aws, properties)
        await _create(aws, zone_id, [record_set(properties)], str(properties.get("Comment") or ""))
        return Made(str(properties["Name"]))

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        """Change it in place; another zone, name or type is another record set."""
        if any(old.get(each) != new.get(each) for each in ("HostedZoneId", "HostedZoneName", "Name", "Type")):
            return None
        zone_id = await zone_id_of(aws, new)
        before, after = record_set(old), record_set(new)
        actions = [("UPSERT", after)]
        if _key(before) != _key(after):
            found = await _existing(aws, zone_id, before)
            actions = [("DELETE", found), *actions] if found is not None else actions
        await _change(aws, zone_id, actions, str(new.get("Comment") or ""))
        return Made(physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        """Delete the record set."""
        await _delete(aws, await zone_id_of(aws, properties), [record_set(properties)])


class RecordSetGroup:
    """AWS::Route53::RecordSetGroup: several record sets of one zone in one batch."""

    type_name = "AWS::Route53::RecordSetGroup"
    properties = frozenset({"HostedZoneId", "HostedZoneName", "RecordSets", "Comment"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        """Create all of them, or none."""
        records = [record_set(each) for each in properties.get("RecordSets") or ()]
        if records:
            zone_id = await zone_id_of(aws, properties)
            await _create(aws, zone_id, records, str(properties.get("Comment") or ""))
        return Made(stack.generated_name())

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        """One batch that deletes what is left out, and creates or changes the rest."""
        if any(old.get(each) != new.get(each) for each in ("HostedZoneId", "HostedZoneName")):
            return None
        zone_id = await zone_id_of(aws, new)
        after = [record_set(each) for each in new.get("RecordSets") or ()]
        kept = {_key(each) for each in after}
        actions: list[tuple[str, dict[str, Any]]] = []
        for each in old.get("RecordSets") or ():
            if _key(record_set(each)) not in kept:
                found = await _existing(aws, zone_id, record_set(each))
                actions += [("DELETE", found)] if found is not None else []
        actions += [("UPSERT", each) for each in after]
        if actions:
            await _change(aws, zone_id, actions, str(new.get("Comment") or ""))
        return Made(physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        """Delete all of them."""
        records = [record_set(each) for each in properties.get("RecordSets") or ()]
        if records:
            await _delete(aws, await zone_id_of(aws, properties), records)


class HealthCheck:
    """AWS::Route53::HealthCheck. Ref and the attribute HealthCheckId give the id."""

    type_name = "AWS::Route53::HealthCheck"
    properties = frozenset({"HealthCheckConfig", "HealthCheckTags"})
    fixed = ("Type", "MeasureLatency", "RequestInterval", "RoutingControlArn")

    def _config(self, given: Mapping[str, Any]) -> dict[str, Any]:
        config = dict(given)
        for member in ("Port", "RequestInterval", "FailureThreshold", "HealthThreshold"):
            if member in config:
                config[member] = int(config[member])
        for member in ("MeasureLatency", "Inverted", "Disabled", "EnableSNI"):
            if member in config:
                config[member] = _truth(config[member])
        return config

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        """Make the health check; a creation resumed finds the first one by its caller reference."""
        reference = f"{stack.name}-{stack.logical_id}-{stack.suffix}"[-64:]
        params = {"CallerReference": reference, "HealthCheckConfig": self._config(properties["HealthCheckConfig"])}
        check_id = (await aws("route53", "CreateHealthCheck", params))["HealthCheck"]["Id"]
        await _retag(aws, "healthcheck", check_id, None, properties.get("HealthCheckTags"))
        return Made(check_id, {"HealthCheckId": check_id})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        """Change what can be changed; another type, interval or routing control is another health check."""
        before, after = self._config(old["HealthCheckConfig"]), self._config(new["HealthCheckConfig"])
        if any(before.get(each) != after.get(each) for each in self.fixed):
            return None
        changes = {name: value for name, value in after.items() if before.get(name) != value}
        resets = ("ChildHealthChecks", "FullyQualifiedDomainName", "Regions", "ResourcePath")
        gone = [name for name in resets if name in before and name not in after]
        if changes or gone:
            params = {"HealthCheckId": physical_id, **changes, **({"ResetElements": gone} if gone else {})}
            await aws("route53", "UpdateHealthCheck", params)
        await _retag(aws, "healthcheck", physical_id, old.get("HealthCheckTags"), new.get("HealthCheckTags"))
        return Made(physical_id, {"HealthCheckId": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        """Delete the health check."""
        try:
            await aws("route53", "DeleteHealthCheck", {"HealthCheckId": physical_id})
        except Fault as fault:
            if fault.code != "NoSuchHealthCheck":
                raise


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (HostedZone(), RecordSetType(), RecordSetGroup(), HealthCheck())
