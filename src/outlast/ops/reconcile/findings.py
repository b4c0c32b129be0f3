"""What is found: one thing that the rules do not allow, or that the replicas or the ledger tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from outlast.ops.reconcile.items import Ref
from outlast.ops.reconcile.writes import Repair

Kind = Literal["double", "torn", "dangling", "stranded", "overwritten"]
KINDS: Final[Mapping[Kind, str]] = {
    "double": "claimed more than once",
    "torn": "one item of a pair is missing or does not fit",
    "dangling": "names an item that does not exist",
    "stranded": "not alike in all Regions",
    "overwritten": "a version that a concurrent write replaced",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `touches`: the items it rests on, by table alias and key. `repair` None: by hand, or by waiting.

    `ledger`: ids of the conflicts that are its cause.
    """

    kind: Kind
    rule: str
    table: str
    ref: Ref
    text: str
    touches: frozenset[tuple[str, Ref]]
    repair: Repair | None = None
    ledger: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str, Ref]:
        """The same trouble has the same identity at the next look."""
        return (self.kind, self.rule, self.table, self.ref)

    def document(self) -> dict[str, Any]:
        """The finding as JSON members."""
        return {
            "kind": self.kind,
            "rule": self.rule,
            "table": self.table,
            "key": self.ref.text,
            "text": self.text,
            "repair": None if self.repair is None else self.repair.document(),
            "ledger": list(self.ledger),
        }
