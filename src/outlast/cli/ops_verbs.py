"""The verbs beside the night itself: audit, conflicts, doctor, guard, prepare, reconcile, replay, replica. Imported
when they are called, or for help and completion."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer

MODULES: Final = {
    "audit": "ops_audit",
    "conflicts": "ops_conflicts",
    "doctor": "ops_doctor",
    "guard": "ops_guard",
    "prepare": "ops_prepare",
    "reconcile": "ops_reconcile",
    "replay": "ops_replay",
    "replica": "ops_replica",
}


def register(app: typer.Typer, arguments: list[str] | None = None) -> None:
    """Add the verb that `arguments` begin with; all of them for help and completion; none for any other verb."""
    called = (sys.argv[1:] if arguments is None else arguments)[:1]
    named = bool(called) and not called[0].startswith("-")
    wanted = [MODULES[name] for name in called if name in MODULES] if named else list(dict.fromkeys(MODULES.values()))
    for name in wanted:
        module: Any = import_module(f"outlast.cli.{name}")
        module.register(app)
