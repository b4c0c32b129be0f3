"""What a replica may have of its own: table class, read capacity of the table and of its indexes, encryption key.

All replicas share these settings; a replica that overrides one shows its own value, and keeps what is shared under
`Base` of its document (and of an index's entry), so that it tells the others nothing of its own.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateReplicationGroupMemberAction.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.table import Document

Given = Mapping[str, Any]
READS = {
    "ProvisionedThroughput": ("ProvisionedThroughputOverride", "ReadCapacityUnits"),
    "OnDemandThroughput": ("OnDemandThroughputOverride", "MaxReadRequestUnits"),
}
BILLING = {"ProvisionedThroughputOverride": "PROVISIONED", "OnDemandThroughputOverride": "PAY_PER_REQUEST"}
OVERRIDES = ("KMSMasterKeyId", *BILLING, "TableClass", "GlobalSecondaryIndexes")
"""The members of a replica's entry that are its own settings; the rest says what it is."""


def check(doc: Given, given: Given) -> None:
    """Raise ValidationException for settings of a replica that the table cannot have."""
    names = {entry["IndexName"] for entry in doc["Indexes"] if entry["Global"] and entry["Status"] != "DELETING"}
    for index in given.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] not in names:
            raise ValidationException(
                f"The table does not have the specified index: {index['IndexName']}, which a replica would override"
            )
    for each in (given, *(given.get("GlobalSecondaryIndexes") or ())):
        for member, billing in BILLING.items():
            if each.get(member) is not None and doc["BillingMode"] != billing:
                raise invalid(f"{member} can be specified only when BillingMode is {billing}")
    if given.get("KMSMasterKeyId") is not None and not doc.get("SSE"):
        raise invalid("KMSMasterKeyId can be specified only when SSE is enabled")


def note(entry: Document, given: Given) -> None:
    """Put what a replica update says into the member's entry."""
    for member in ("KMSMasterKeyId", *BILLING):
        if given.get(member) is not None:
            entry[member] = given[member]
    if given.get("TableClassOverride") is not None:
        entry["TableClass"] = given["TableClassOverride"]
    if given.get("GlobalSecondaryIndexes"):
        known = {each["IndexName"]: each for each in entry.get("GlobalSecondaryIndexes") or ()}
        for index in given["GlobalSecondaryIndexes"]:
            known[index["IndexName"]] = {**known.get(index["IndexName"], {}), **index}
        entry["GlobalSecondaryIndexes"] = list(known.values())


def shared(part: Given, member: str) -> Any:
    """What all replicas share, of a document or of an index's entry."""
    base = part.get("Base") or {}
    return base[member] if member in base else part.get(member)


def _parts(doc: Document) -> Iterator[Document]:
    yield doc
    yield from doc["Indexes"]


def undo(doc: Document) -> None:
    """Show what all replicas share."""
    for part in _parts(doc):
        for member, value in (part.pop("Base", None) or {}).items():
            if value is None:
                part.pop(member, None)
            else:
                part[member] = value


def apply(doc: Document, here: str) -> None:
    """Show what the replica here has of its own."""
    undo(doc)
    own = (doc.get("Replicas") or {}).get(here)
    if own is None:
        return
    if own.get("TableClass"):
        _override(doc, "TableClass", own["TableClass"])
    indexes = {each["IndexName"]: each for each in own.get("GlobalSecondaryIndexes") or ()}
    for part in _parts(doc):
        said = own if part is doc else indexes.get(part["IndexName"], {})
        for member, (override, reads) in READS.items():
            if said.get(override) and doc["BillingMode"] == BILLING[override]:
                _override(part, member, {**(part.get(member) or {}), reads: said[override][reads]})


def _override(part: Document, member: str, value: Any) -> None:
    part.setdefault("Base", {})[member] = part.get(member)
    part[member] = value


def absorb(doc: Document, here: str, given: Given) -> dict[str, Any]:
    """UpdateTable's members, once they are told from what the replica here shows of its own.

    A value that it shows already changes nothing. Another one is for all replicas: it ends what any of them overrides.
    The document shows what is shared. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
    """
    left = dict(given)
    members = doc.get("Replicas") or {}
    if "BillingMode" in left and left["BillingMode"] != doc["BillingMode"]:
        for member in BILLING:
            _end(members, None, member)
    if "TableClass" in left:
        if _own(members, here, None).get("TableClass") == left["TableClass"]:
            del left["TableClass"]
        else:
            _end(members, None, "TableClass")
    left.update(_absorb_reads(doc, members, here, None, left))
    if "GlobalSecondaryIndexUpdates" in left:
        left["GlobalSecondaryIndexUpdates"] = [
            _absorb_index(doc, members, here, each) for each in left["GlobalSecondaryIndexUpdates"]
        ]
    return left


def _absorb_reads(part: Given, members: Given, here: str, index: str | None, given: Given) -> dict[str, Any]:
    """Read capacity of the table (`index` None) or of an index: what is shown stays, another value is for all."""
    changed: dict[str, Any] = {}
    for member, (override, reads) in READS.items():
        wanted = given.get(member)
        if wanted is None or wanted.get(reads) is None:
            continue
        own = _own(members, here, index).get(override)
        shared = part.get(member) or {}
        if own is not None and own[reads] == wanted[reads]:
            changed[member] = {**wanted, reads: shared.get(reads, wanted[reads])}
        elif shared.get(reads) != wanted[reads] or own is not None:
            _end(members, index, override)
    return changed


def _absorb_index(doc: Given, members: Given, here: str, update: Given) -> Given:
    """One of GlobalSecondaryIndexUpdates, likewise; of an index that goes, or comes anew, nothing is overridden."""
    (kind, given), *_ = update.items()
    name = given["IndexName"]
    if kind != "Update":
        for override in BILLING:
            _end(members, name, override)
        return update
    entry: Given = next((each for each in doc["Indexes"] if each["IndexName"] == name), {})
    return {kind: {**given, **_absorb_reads(entry, members, here, name, given)}}


def _own(members: Given, region: str, index: str | None) -> Given:
    """What a replica has of its own, of the table or of an index."""
    entry: Given = members.get(region) or {}
    if index is None:
        return entry
    return next((each for each in entry.get("GlobalSecondaryIndexes") or () if each["IndexName"] == index), {})


def _end(members: Given, index: str | None, member: str) -> None:
    """No replica has a setting of its own any more."""
    for entry in members.values():
        if index is None:
            entry.pop(member, None)
            continue
        indexes = [
            {name: value for name, value in each.items() if each["IndexName"] != index or name != member}
            for each in entry.get("GlobalSecondaryIndexes") or ()
        ]
        entry["GlobalSecondaryIndexes"] = [each for each in indexes if len(each) > 1]
        if not entry["GlobalSecondaryIndexes"]:
            del entry["GlobalSecondaryIndexes"]
