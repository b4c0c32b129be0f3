"""The operator's verbs: deploy, status, watch, fault, evacuate, failback, drill, report."""

from __future__ import annotations

import typer

from outlast.cli import ops_deploy


def register(app: typer.Typer) -> None:
    """Add the operator's verbs to the command."""
    ops_deploy.register(app)
