"""The operator's verbs: deploy, status, watch, fault, evacuate, failback, drill, report.

Each module brings boto3 and much else, a second of imports; so only that of the verb which was called is imported,
and all of them for help and completion.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer

MODULES: Final = {
    "deploy": "ops_deploy",
    "status": "ops_status",
    "watch": "ops_status",
    "fault": "ops_faults",
    "evacuate": "ops_switch",
    "failback": "ops_failback",
    "drill": "ops_drill",
    "report": "ops_report",
}
WORLD: Final = frozenset({"up", "down", "env", "exec", "regions", "restart"})


def register(app: typer.Typer, arguments: list[str] | None = None) -> None:
    """Add the operator's verbs to the command: the one that `arguments` begin with, or all."""
    called = (sys.argv[1:] if arguments is None else arguments)[:1]
    if called and called[0] in WORLD:
        return
    known = [MODULES[name] for name in called if name in MODULES]
    for name in known or dict.fromkeys(MODULES.values()):
        module: Any = import_module(f"outlast.cli.{name}")
        module.register(app)
