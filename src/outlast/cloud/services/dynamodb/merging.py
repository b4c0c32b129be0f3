"""Two Regions may change different things of one global table at once: all that can change alone has a mark.

A mark is the epoch and the Region of the last change, with a digest of the value, so that every change is noticed
whoever made it. Of each thing the greater mark stands; capacity is one thing, for its parts must fit one another.
What a member overrides stands apart from the member, for any Region may end it by setting another value for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outlast.cloud.services.dynamodb.overrides import OVERRIDES

CAPACITY = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")
ALONE = ("TableClass", "TimeToLive", "SSEType")
UNKNOWN = [0, "", ""]
MAX_GONE = 50
Document = dict[str, Any]
Given = Mapping[str, Any]
Marks = dict[str, list[Any]]


def things(settings: Given, replicas: Given) -> dict[str, Any]:
    """Everything that can be changed on its own, by name."""
    found: dict[str, Any] = {"capacity": {member: settings.get(member) for member in CAPACITY}}
    found |= {member: settings.get(member) for member in ALONE}
    found |= {f"index/{entry['IndexName']}": entry for entry in settings["Indexes"]}
    for region, entry in replicas.items():
        found[f"member/{region}"] = {name: value for name, value in entry.items() if name not in OVERRIDES}
        found |= {f"override/{name}/{region}": entry.get(name) for name in OVERRIDES}
    return found


def _members(found: Given) -> Document:
    """The members that stand, each with the overrides that stand."""
    members: Document = {name[7:]: dict(value) for name, value in found.items() if name.startswith("member/")}
    for region, entry in members.items():
        own = {name: found.get(f"override/{name}/{region}") for name in OVERRIDES}
        entry.update({name: value for name, value in own.items() if value is not None})
    return members


def mark(marks: Given, found: Given, epoch: int, by: str) -> Marks:
    """The marks after a change of epoch `epoch`; what is gone has the digest of nothing."""
    digests = {name: _digest(value) for name, value in found.items()} | {
        name: "" for name in marks if name not in found
    }
    kept: Marks = {}
    for name, digest in digests.items():
        known: list[Any] | None = marks.get(name)
        kept[name] = known if known is not None and known[2] == digest else [epoch, by, digest]
    gone = sorted((name for name, each in kept.items() if not each[2]), key=lambda name: kept[name][0])
    for name in gone[:-MAX_GONE]:
        del kept[name]
    return kept


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def merged(mine: Given, told: Given) -> tuple[Document, bool, bool]:
    """Two messages about one table as one, whether something of the first stands, and something of the second.

    Its epoch is the greater of the two.
    """
    ours, theirs = mine.get("marks") or {}, told.get("marks") or {}
    newer = max((mine, told), key=lambda each: (each["epoch"], each["by"]))
    content: Document = {**told, "epoch": newer["epoch"], "by": newer["by"]}
    if not ours or not theirs:
        return content, False, False
    values = [things(each["settings"], each["replicas"]) for each in (mine, told)]
    marks: Marks = {}
    found: dict[str, Any] = {}
    of_ours = of_theirs = False
    defined: list[tuple[Sequence[Any], Document]] = []
    sides = ((mine, ours, values[0]), (told, theirs, values[1]))
    for name in dict.fromkeys([*theirs, *ours, *values[1], *values[0]]):
        ranks = [_rank(name, marks_of.get(name), value.get(name)) for _, marks_of, value in sides]
        is_ours = ranks[0] > ranks[1]
        our, their = ours.get(name, UNKNOWN), theirs.get(name, UNKNOWN)
        of_ours = of_ours or (is_ours and our[2] != their[2])
        of_theirs = of_theirs or (ranks[1] > ranks[0] and our[2] != their[2])
        marks[name] = our if is_ours else their
        message, _, value = sides[0 if is_ours else 1]
        if name in value:
            found[name] = value[name]
            if name.startswith("index/"):
                defined.append((marks[name], _defined(message["settings"], value[name])))
    content["marks"] = marks
    content["replicas"] = _members(found)
    definitions: Document = {}
    for _, each in sorted(defined, key=lambda pair: tuple(pair[0])):  # of one attribute, what the latest index says
        definitions |= each
    definitions |= _defined(told["settings"], told["settings"])
    content["settings"] = _settings(told["settings"], found, definitions)
    return content, of_ours, of_theirs


def _rank(name: str, mark: Sequence[Any] | None, value: Any) -> tuple[Any, ...]:
    """What stands of one thing is what has the greatest rank; the order is the same in every Region.

    A member that leaves, or is gone, goes before every change of it but a later birth: that a replica was added again,
    or was kept because it is protected, by somebody who knew that it was to go.
    """
    if mark is None:
        return ()
    if not name.startswith("member/"):
        return tuple(mark)
    is_leaving = not mark[2] or (value is not None and value["Status"] == "DELETING")
    since = mark[:2] if is_leaving else (value or {}).get("Born") or UNKNOWN[:2]
    return (*since, is_leaving, *mark)


def _settings(told: Given, found: Given, defined: Given) -> Document:
    """The settings made of what stands."""
    indexes = [value for name, value in found.items() if name.startswith("index/")]
    settings: Document = {**told, "Indexes": indexes}
    settings["AttributeDefinitions"] = list(defined.values())
    for member in CAPACITY:
        settings.pop(member, None)
    alone = {member: found.get(member) for member in ALONE}
    capacity = {member: value for member, value in (found.get("capacity") or {}).items() if value is not None}
    if alone["TableClass"] is None:
        settings.pop("TableClass", None)
        del alone["TableClass"]
    return {**settings, **capacity, **alone}


def _defined(settings: Given, part: Given) -> Document:
    """The definitions that the key of a part needs: of an index, or of the table itself."""
    key = {each["AttributeName"] for each in part["KeySchema"]}
    return {each["AttributeName"]: each for each in settings["AttributeDefinitions"] if each["AttributeName"] in key}
