"""A slow, obvious evaluator of policies: the oracle of the compiled one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Context = Mapping[str, Sequence[str]]


def matches(pattern: str, text: str) -> bool:
    """Wildcards by plain recursion."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and (pattern[0] in ("?", text[0])) and matches(pattern[1:], text[1:])


def filled(pattern: str, context: Context) -> str | None:
    """The pattern with its variables replaced (values here have no wildcards)."""
    for name in re.findall(r"\$\{([^}]*)\}", pattern):
        values = context.get(name.lower(), ())
        if len(values) != 1:
            return None
        pattern = pattern.replace("${" + name + "}", values[0])
    return pattern


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def compare(operator: str, wanted: str, given: str, context: Context) -> bool:
    target = filled(wanted, context)
    if target is None:
        return False
    if operator in ("StringEquals", "StringNotEquals"):
        return target == given
    if operator in ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"):
        return target.lower() == given.lower()
    if operator in ("StringLike", "StringNotLike"):
        return matches(target, given)
    raise AssertionError(operator)


def condition_holds(name: str, key: str, wanted: list[str], context: Context) -> bool:
    quantifier, _, operator = name.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    given = context.get(key.lower(), ())
    if operator == "Null":
        return (len(given) == 0) == (wanted[0] == "true")
    if not given:
        if if_exists or quantifier == "ForAllValues":
            return True
        return quantifier == "" and "Not" in operator
    each = [any(compare(operator, one, value, context) for one in wanted) for value in given]
    if "Not" in operator:
        if quantifier == "":
            return not any(each)
        each = [not hit for hit in each]
    return all(each) if quantifier == "ForAllValues" else any(each)


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    if "Action" in statement:
        covered = any(matches(one.lower(), action.lower()) for one in listed(statement["Action"]))
    else:
        covered = not any(matches(one.lower(), action.lower()) for one in listed(statement["NotAction"]))
    if not covered:
        return False
    name = "Resource" if "Resource" in statement else "NotResource"
    targets = [filled(one, context) for one in listed(statement[name])]
    hit = any(target is not None and matches(target, resource) for target in targets)
    if hit != (name == "Resource"):
        return False
    return all(
        condition_holds(operator, key, listed(wanted), context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def verdict(
    identity: list[Any], boundary: Any, session: list[Any], action: str, resource: str, context: Context
) -> str:
    def effects(documents: list[Any]) -> list[str]:
        return [
            statement["Effect"]
            for document in documents
            for statement in document["Statement"]
            if applies(statement, action, resource, context)
        ]

    layers = [effects(identity)]
    if boundary is not None:
        layers.append(effects([boundary]))
    if session:
        layers.append(effects(session))
    if any("Deny" in layer for layer in layers):
        return "explicit deny"
    return "allowed" if all("Allow" in layer for layer in layers) else "implicit deny"
