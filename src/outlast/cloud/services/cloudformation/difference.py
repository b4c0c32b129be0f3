"""What changes between two blueprints, as a change set shows it."""

from __future__ import annotations

from typing import Any

from outlast.cloud.services.cloudformation.model import Change, Document


def changes_between(before: Document, after: Document) -> tuple[Change, ...]:
    """Additions and modifications in the order of the template, then removals.

    Whether a modification replaces the resource is known only when its type is asked to carry it out: it is shown as
    Conditional.
    """
    old, new = before["resources"], after["resources"]
    found = [
        Change("Add", name, one["type"]) if name not in old else _modified(name, old[name], one)
        for name, one in new.items()
    ]
    found += [Change("Remove", name, one["type"]) for name, one in old.items() if name not in new]
    return tuple(one for one in found if one is not None)


def _modified(name: str, old: dict[str, Any], new: dict[str, Any]) -> Change | None:
    properties = tuple(
        key
        for key in sorted({*old["properties"], *new["properties"]})
        if old["properties"].get(key) != new["properties"].get(key)
    )
    scope = ["Properties"] if properties else []
    if old["deletion_policy"] != new["deletion_policy"]:
        scope.append("DeletionPolicy")
    if old["replace_policy"] != new["replace_policy"]:
        scope.append("UpdateReplacePolicy")
    if not scope:
        return None
    replacement = "Conditional" if properties else "False"
    return Change("Modify", name, new["type"], replacement=replacement, scope=tuple(scope), properties=properties)
