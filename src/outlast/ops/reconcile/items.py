"""Items of DynamoDB as the rules see them: attributes that are text or numbers, and keys made of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from outlast.ops.reconcile.rules import PLACEHOLDER

Value = Mapping[str, Any]
"""An attribute value in DynamoDB JSON: {"S": "x"}."""
Item = Mapping[str, Value]
SCALARS: Final = ("S", "N")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A key, or what an attribute names: its type (S or N) and its text."""

    kind: str
    text: str

    @property
    def value(self) -> dict[str, str]:
        """As DynamoDB writes it."""
        return {self.kind: self.text}


def ref(item: Item | None, name: str) -> Ref | None:
    """What an attribute names; None when it is missing or neither text nor number."""
    value = (item or {}).get(name, {})
    for kind in SCALARS:
        if kind in value:
            return Ref(kind, str(value[kind]))
    return None


def equals(item: Item, wanted: Mapping[str, str]) -> bool:
    """Whether the item has these texts."""
    return all(item.get(name) == {"S": text} for name, text in wanted.items())


def filled(template: Mapping[str, str], item: Item, extra: Mapping[str, str] | None = None) -> dict[str, Value]:
    """Attribute values of a template. `{attribute}` alone copies the value; within a text it is written out.

    An attribute that the item lacks leaves its member out when it stands alone, and is empty within a text.
    """
    found: dict[str, Value] = {}
    for name, text in template.items():
        alone = PLACEHOLDER.fullmatch(text)
        if alone is not None and alone.group(1) in item:
            found[name] = item[alone.group(1)]
        elif alone is None or alone.group(1) in (extra or {}):
            found[name] = {"S": _written(text, item, extra or {})}
    return found


def _written(text: str, item: Item, extra: Mapping[str, str]) -> str:
    def value(name: str) -> str:
        held = ref(item, name)
        return extra.get(name, held.text if held else "")

    return PLACEHOLDER.sub(lambda found: value(found.group(1)), text)
