"""Indexes that another Region made, changed or removed: what comes of them here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB
    from outlast.cloud.services.dynamodb.table import Document, Table

Message = Mapping[str, Any]
INDEX_CHANGING = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")


def adopt_indexes(state: DynamoDB, table: Table, shared: Message) -> None:
    """Let the table have the indexes that `shared` tells of. The caller saves the table.

    One that is another than the one of its name here, or whose name is on its way out here, is made once that is gone.
    """
    from outlast.cloud.services.dynamodb.operations.updates import INDEX_MS, add_index

    doc = table.doc
    wanted = {entry["IndexName"]: entry for entry in shared["Indexes"]}
    changed_types = _define(doc, shared)
    for entry in doc["Indexes"]:
        want = wanted.get(entry["IndexName"])
        is_another = want is not None and _is_another(entry, want, changed_types)
        if want is not None and not is_another and entry["Status"] != "DELETING":
            for member in INDEX_CHANGING:
                if want.get(member) is not None:
                    entry[member] = want[member]
                else:
                    entry.pop(member, None)
            continue
        entry["Next"] = want  # made once the one of that name is gone
        if entry["Status"] != "DELETING":
            entry["Status"] = "DELETING"
            state.schedule(table, "drop-index", INDEX_MS, Index=entry["IndexName"])
    present = {entry["IndexName"] for entry in doc["Indexes"]}
    for name, entry in wanted.items():
        if name not in present:
            add_index(table, entry, shared["AttributeDefinitions"])
            state.schedule(table, "fill-index", INDEX_MS, Index=name)


def _define(doc: Document, shared: Message) -> set[str]:
    """Take over the definitions of the keys' attributes; those whose type is another now."""
    used = {each["AttributeName"] for part in (doc, *shared["Indexes"]) for each in part["KeySchema"]}
    before = {each["AttributeName"]: each for each in doc["AttributeDefinitions"]}
    told = {each["AttributeName"]: each for each in shared["AttributeDefinitions"] if each["AttributeName"] in used}
    doc["AttributeDefinitions"] = list({**before, **told}.values())
    return {name for name, each in told.items() if before.get(name, each) != each}


def _is_another(entry: Message, want: Message, changed_types: set[str]) -> bool:
    """Whether an index of the same name has to be made anew: two Regions made one each, at once."""
    same = all(entry.get(member) == want.get(member) for member in ("KeySchema", "Projection", "Global"))
    return not same or any(each["AttributeName"] in changed_types for each in entry["KeySchema"])
