"""Cells.

https://docs.aws.amazon.com/recovery-readiness/latest/api/cells.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.errors import ConflictException, ValidationException
from outlast.cloud.services.arc_readiness.model import Cell
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.service import CELL, arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness


def known_cells(state: Readiness, arns: Sequence[str]) -> tuple[str, ...]:
    """The ARNs, once each names a cell; raises ResourceNotFoundException, ValidationException."""
    for arn in arns:
        if not isinstance(state.by_arn(arn), Cell):
            raise ValidationException(f"{arn} is no cell.")
    if len(set(arns)) != len(arns):
        raise ValidationException("A cell is named twice.")
    return tuple(arns)


def _show(state: Readiness, cell: Cell) -> dict[str, Any]:
    arn = state.arn(cell)
    return {
        "CellArn": arn,
        "CellName": cell.name,
        "Cells": list(cell.cells),
        "ParentReadinessScopes": state.parents(arn),
        "Tags": dict(cell.tags),
    }


@arc_readiness.operation(resource=CELL)
def create_cell(
    call: Call[Readiness], *, cell_name: str, cells: Sequence[str] = (), tags: Mapping[str, str] | None = None
) -> Reply:
    """Make a cell."""
    cell = Cell(cell_name, known_cells(call.state, cells), dict(tags or {}))
    call.state.add(cell)
    return _show(call.state, cell)


@arc_readiness.operation(resource=CELL)
def get_cell(call: Call[Readiness], *, cell_name: str) -> Reply:
    """One cell."""
    return _show(call.state, call.state.find(Cell, cell_name))


@arc_readiness.operation()
def list_cells(call: Call[Readiness], *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    """All cells."""
    state = call.state
    return page("Cells", [_show(state, each) for each in state.all(Cell)], next_token, max_results)


@arc_readiness.operation(resource=CELL)
def update_cell(call: Call[Readiness], *, cell_name: str, cells: Sequence[str]) -> Reply:
    """Replace the nested cells."""
    state = call.state
    cell = replace(state.find(Cell, cell_name), cells=known_cells(state, cells))
    if any(state.arn(cell) in state.scope(arn) for arn in cell.cells):
        raise ValidationException("A cell cannot be nested in itself.")
    state.put(cell)
    return _show(state, cell)


@arc_readiness.operation(resource=CELL)
def delete_cell(call: Call[Readiness], *, cell_name: str) -> Reply:
    """Delete a cell that nothing holds."""
    state = call.state
    cell = state.find(Cell, cell_name)
    holders = state.parents(state.arn(cell))
    if holders:
        raise ConflictException(f"The cell {cell_name} is in {', '.join(holders)}.")
    state.drop(cell)
    return {}
