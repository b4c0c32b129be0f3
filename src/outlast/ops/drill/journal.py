"""What a drill has changed and must put back, on disk before it is changed: a killed drill cannot tell any more.

Who reads it while the world is held (see hold.py) reads what was left: the drill that wrote it is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from outlast.ops.outcome import OpsError

NAME: Final = "drill-changes.json"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its kind, where, and what there was before."""

    kind: str
    region: str
    before: Mapping[str, Any]

    @property
    def what(self) -> str:
        """In words."""
        return f"{self.kind} in {self.region}"


@dataclass(slots=True)
class Journal:
    """The changes by their ident. Without a path it lasts as long as the process."""

    path: Path | None = None
    _held: dict[str, Change] = field(default_factory=dict)

    def read(self) -> dict[str, Change]:
        """All changes that were not put back. Raises OpsError."""
        if self.path is None:
            return dict(self._held)
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return {ident: Change(**each) for ident, each in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise OpsError(
                f"What drills have changed cannot be read from {self.path} ({error}): see `outlast fault list` and "
                "`outlast status` for what holds still, end it by hand, and take that file away."
            ) from error

    def put(self, ident: str, kind: str, region: str, before: Mapping[str, Any]) -> None:
        """Have it on disk before anything is changed. Raises OpsError."""
        self._write({**self.read(), ident: Change(kind, region, dict(before))})

    def drop(self, ident: str) -> None:
        """It was put back. Raises OpsError."""
        self._write({key: each for key, each in self.read().items() if key != ident})

    def _write(self, changes: dict[str, Change]) -> None:
        self._held = changes
        if self.path is None:
            return
        if not changes:
            self.path.unlink(missing_ok=True)
            return
        members = {
            ident: {"kind": each.kind, "region": each.region, "before": each.before} for ident, each in changes.items()
        }
        draft = self.path.with_suffix(".draft")
        try:
            with draft.open("w", encoding="utf-8") as out:
                json.dump(members, out, indent=2)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise OpsError(f"What is to be changed cannot be written down in {self.path}: {error}.") from error
