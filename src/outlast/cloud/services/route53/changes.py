"""A batch of record changes: checked as Route 53 checks it, applied in order, all or none. Pure.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from outlast.cloud.services.route53 import dnsnames
from outlast.cloud.services.route53.dnsnames import BadName
from outlast.cloud.services.route53.endpoints import is_endpoint_zone, lies_within
from outlast.cloud.services.route53.errors import InvalidChangeBatch, InvalidInput, no_such_check, unsupported
from outlast.cloud.services.route53.model import RecordKey, RecordSet, Zone
from outlast.cloud.services.route53.rdata import BadValue

ROUTING: Final = ("Weight", "Region", "Failover", "MultiValueAnswer")
REFUSED: Final = ("GeoLocation", "GeoProximityLocation", "CidrRoutingConfig", "TrafficPolicyInstanceId")
MOST_VALUES: Final = 1_000
MOST_CHARACTERS: Final = 32_000
MOST_RECORDS: Final = 10_000
MOST_OF_A_SET: Final = 400
NO_MULTIVALUE: Final = frozenset({"NS", "CNAME"})


class Records(dict[RecordKey, RecordSet]):
    """Record sets that also know which of them share a name."""

    def __init__(self, records: Mapping[RecordKey, RecordSet]) -> None:
        super().__init__(records)
        self._by_name: dict[bytes, set[RecordKey]] = {}
        for key in records:
            self._by_name.setdefault(key[0], set()).add(key)

    def __setitem__(self, key: RecordKey, record: RecordSet) -> None:
        super().__setitem__(key, record)
        self._by_name.setdefault(key[0], set()).add(key)

    def __delitem__(self, key: RecordKey) -> None:
        super().__delitem__(key)
        self._by_name[key[0]].discard(key)

    def at(self, name: bytes) -> list[RecordSet]:
        """The record sets of one name."""
        return [self[key] for key in sorted(self._by_name.get(name, ()))]


def apply(zone: Zone, changes: Sequence[Mapping[str, Any]], checks: Container[str]) -> Zone:
    """The zone after `changes`.

    Raises InvalidInput for a change that is malformed in itself, NoSuchHealthCheck, and InvalidChangeBatch with all
    that is wrong when the changes do not fit the zone or each other.
    """
    for change in changes:
        _check_form(change)
    _check_size(changes)
    records = Records(zone.records)
    problems: list[str] = []
    for change in changes:
        _apply_one(zone, records, change, checks, problems)
    problems += _check_whole(zone, records, changes)
    if problems:
        raise InvalidChangeBatch(problems)
    return zone.changed(dict(records))


def _where(change: Mapping[str, Any]) -> str:
    given = change["ResourceRecordSet"]
    identifier = given.get("SetIdentifier") or "null"
    return f"Change with [Action={change['Action']}, Name={given['Name']}, Type={given['Type']}, " + (
        f"SetIdentifier={identifier}]"
    )


def _check_form(change: Mapping[str, Any]) -> None:
    """What is wrong with one change whatever the zone holds."""
    given = change["ResourceRecordSet"]
    for member in REFUSED:
        if given.get(member) is not None:
            raise unsupported(f"The parameter ResourceRecordSet.{member} of ChangeResourceRecordSets")
    forms = ["AliasTarget"] if given.get("AliasTarget") is not None else []
    halves = [member for member in ("TTL", "ResourceRecords") if given.get(member) is not None]
    if len(halves) == 2 or (halves and forms):
        forms.append("ResourceRecords")
    if len(forms) != 1:
        found = "none" if not forms else "more than one"
        raise InvalidInput(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found {found} in {_where(change)}"
        )
    routing = [member for member in ROUTING if given.get(member) is not None and given[member] is not False]
    if len(routing) > 1 or (given.get("SetIdentifier") and not routing):
        raise InvalidInput(
            "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, "
            "GeoProximityLocation, or CidrRoutingConfig], but found "
            f"{'more than one' if routing else 'none'} in {_where(change)}"
        )
    if routing and not given.get("SetIdentifier"):
        raise InvalidInput(f"Invalid request: Missing field 'SetIdentifier' in {_where(change)}")


def _check_size(changes: Sequence[Mapping[str, Any]]) -> None:
    """An UPSERT counts twice.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets
    """
    values = characters = 0
    for change in changes:
        factor = 2 if change["Action"] == "UPSERT" else 1
        found = change["ResourceRecordSet"].get("ResourceRecords") or ()
        values += factor * len(found)
        characters += factor * sum(len(each["Value"]) for each in found)
    if values > MOST_VALUES:
        raise InvalidChangeBatch([f"Number of records limit of {MOST_VALUES} exceeded."])
    if characters > MOST_CHARACTERS:
        raise InvalidChangeBatch([f"Number of characters limit of {MOST_CHARACTERS} exceeded."])


def _apply_one(
    zone: Zone, records: Records, change: Mapping[str, Any], checks: Container[str], problems: list[str]
) -> None:
    """Check one change against the records as they are by now, and make it."""
    try:
        wanted = RecordSet.read(change["ResourceRecordSet"])
        _ = wanted.rdata
    except (BadName, BadValue) as bad:
        problems.append(str(bad))
        return
    action = change["Action"]
    existing = records.get(wanted.key)
    if not dnsnames.within(wanted.name, zone.name):
        problems.append(f"RRSet with DNS name {dnsnames.text(wanted.name)} is not permitted in zone {zone.text}")
        return
    if action == "DELETE":
        problem = _refuse_delete(wanted, existing)
        if problem:
            problems.append(problem)
        else:
            del records[wanted.key]
        return
    if action == "CREATE" and existing is not None:
        problems.append(f"Tried to create resource record set {_label(wanted)} but it already exists")
        return
    if wanted.health_check is not None and wanted.health_check not in checks:
        raise no_such_check(wanted.health_check)
    found = _fits(zone, records, wanted)
    if found:
        problems.extend(found)
        return
    records[wanted.key] = wanted


def _label(record: RecordSet) -> str:
    identifier = f", set-identifier='{record.identifier}'" if record.identifier else ""
    return f"[name='{dnsnames.text(record.name)}', type='{record.type}'{identifier}]"


def _refuse_delete(wanted: RecordSet, existing: RecordSet | None) -> str | None:
    if existing is None:
        return f"Tried to delete resource record set {_label(wanted)} but it was not found"
    if _comparable(wanted) != _comparable(existing):
        return (
            f"Tried to delete resource record set {_label(wanted)} but the values provided do not match the current "
            "values"
        )
    return None


def _comparable(record: RecordSet) -> tuple[object, ...]:
    """What a DELETE must repeat; the order of values does not matter, and MultiValueAnswer may be left out."""
    return (
        record.ttl_s,
        sorted(record.rdata),
        record.alias,
        record.weight,
        record.region,
        record.failover,
        record.health_check,
    )


def _fits(zone: Zone, records: Records, wanted: RecordSet) -> list[str]:
    """Whether the record may stand beside the zone's others."""
    name = dnsnames.text(wanted.name)
    problems = []
    duplicates = {value for value in wanted.values if wanted.values.count(value) > 1}
    problems += [f"Duplicate Resource Record: '{value}'" for value in sorted(duplicates)]
    if len(wanted.values) > MOST_OF_A_SET:
        problems.append(f"Cannot have more than {MOST_OF_A_SET} records in a RRSet.")
    if wanted.type in ("CNAME", "SOA") and len(wanted.values) > 1:
        problems.append(f"RRSet with DNS name {name}, type {wanted.type} must contain exactly one resource record.")
    if wanted.multivalue and (wanted.alias is not None or wanted.type in NO_MULTIVALUE):
        what = "alias" if wanted.alias is not None else wanted.type
        problems.append(f"RRSet with DNS name {name}, type {wanted.type}: {what} records cannot be multivalue answers.")
    if wanted.alias is not None and wanted.type in ("NS", "SOA"):
        problems.append(f"Alias record sets of type {wanted.type} are not permitted.")
    if wanted.type == "SOA" and wanted.name != zone.name:
        problems.append(f"RRSet of type SOA with DNS name {name} is not permitted in zone {zone.text}")
    others = records.at(wanted.name)
    problems += _cname_clash(zone, others, wanted)
    problems += _policy_clash([each for each in others if each.type == wanted.type and each.key != wanted.key], wanted)
    return problems


def _cname_clash(zone: Zone, others: Sequence[RecordSet], wanted: RecordSet) -> list[str]:
    name = dnsnames.text(wanted.name)
    if wanted.type == "CNAME":
        if wanted.name == zone.name:
            return [f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone.text}"]
        if any(each.type != "CNAME" for each in others):
            return [
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with "
                f"the same DNS name in zone {zone.text}"
            ]
    elif any(each.type == "CNAME" for each in others):
        return [
            f"RRSet of type {wanted.type} with DNS name {name} is not permitted because a conflicting RRSet of type "
            f"CNAME with the same DNS name already exists in zone {zone.text}"
        ]
    return []


WORDS: Final = {"multivalue": "multivalue answer"}


def _policy_clash(others: Sequence[RecordSet], wanted: RecordSet) -> list[str]:
    """Record sets of one name and type share a policy, and what each policy asks of its members."""
    if not others:
        return []
    start = f"RRSet with DNS name {dnsnames.text(wanted.name)}, type {wanted.type}"
    policy = wanted.policy
    if policy == "simple":
        return [f"{start} cannot be created as other RRSets exist with the same name and type."]
    start += f", SetIdentifier {wanted.identifier}"
    if any(each.policy != policy for each in others):
        word = WORDS.get(policy, policy)
        return [f"{start} cannot be created as a non-{word} set exists with the same name and type."]
    if policy == "latency" and any(each.region == wanted.region for each in others):
        return [
            f"{start}, Region {wanted.region} cannot be created because a latency RRSet with the same name, type, and "
            "region already exists."
        ]
    if policy == "failover" and any(each.failover == wanted.failover for each in others):
        return [f"{start} cannot be created as a failover {(wanted.failover or '').lower()} RRSet already exists."]
    return []


def _check_whole(zone: Zone, records: Records, changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must hold once all changes are made."""
    problems = []
    if (zone.name, "SOA", "") not in records:
        problems.append("A HostedZone must contain exactly one SOA record.")
    if (zone.name, "NS", "") not in records:
        problems.append("A HostedZone must contain at least one NS record for the zone itself.")
    if len(records) > MOST_RECORDS:
        problems.append(f"Number of resource record sets limit of {MOST_RECORDS} exceeded.")
    existing = {(each.name, each.type) for each in records.values()}
    for wanted in _wanted(changes):
        if wanted.alias is not None:
            problems += _alias_problems(zone, wanted, existing)
        elif wanted.weight is not None:
            problems += _ttl_problems(records, wanted)
    return problems


def _wanted(changes: Sequence[Mapping[str, Any]]) -> Iterator[RecordSet]:
    for change in changes:
        if change["Action"] != "DELETE":
            with suppress(BadName):
                yield RecordSet.read(change["ResourceRecordSet"])


def _ttl_problems(records: Records, wanted: RecordSet) -> list[str]:
    """Weighted record sets of one name and type have one TTL; judged once all changes are made."""
    for each in records.at(wanted.name):
        if each.type == wanted.type and each.ttl_s not in (None, wanted.ttl_s):
            return [
                f"RRSet with DNS name {dnsnames.text(wanted.name)} and type {wanted.type}, SetIdentifier "
                f"{wanted.identifier} cannot be created as weighted sets must contain the same TTL."
            ]
    return []


def _alias_problems(zone: Zone, wanted: RecordSet, existing: Container[tuple[bytes, str]]) -> list[str]:
    """An alias to a record of the zone must find it; one to an endpoint must name the endpoint's own hosted zone."""
    alias = wanted.alias
    assert alias is not None
    start = (
        f"Tried to create an alias that targets {dnsnames.text(alias.name)}, type {wanted.type} in zone {alias.zone_id}"
    )
    if is_endpoint_zone(alias.zone_id) or lies_within(alias.zone_id, alias.name):
        if not lies_within(alias.zone_id, alias.name):
            return [f"{start}, but the alias target name does not lie within the target zone"]
        return [] if wanted.type in ("A", "AAAA", "HTTPS") else [f"{start}, but that target was not found"]
    problems = []
    if alias.zone_id != zone.id or not dnsnames.within(alias.name, zone.name):
        problems.append(f"{start}, but the alias target name does not lie within the target zone")
    if alias.zone_id != zone.id or (alias.name, wanted.type) not in existing or alias.name == wanted.name:
        problems.append(f"{start}, but that target was not found")
    return problems
