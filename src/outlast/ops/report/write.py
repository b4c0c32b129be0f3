"""A report on disk: report.json for machines, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from outlast.ops.forms import hold
from outlast.ops.outcome import UsageError
from outlast.ops.report.build import SCHEMA
from outlast.ops.report.page import render


def write(report: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write both forms; their paths (JSON, HTML)."""
    folder.mkdir(parents=True, exist_ok=True)
    document, page = folder / "report.json", folder / "report.html"
    document.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    page.write_text(render(report), encoding="utf-8")
    return document, page


def read(path: Path) -> dict[str, Any]:
    """A report that `write` wrote: the file, or the folder it is in. Raises UsageError."""
    path = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"There is no report at {path}: {error}.") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise UsageError(f"{path} is not a report of this version.")
    form = json.loads(resources.files("outlast.ops.report").joinpath("schema.json").read_bytes())
    try:
        hold(report, form, "the report")
    except UsageError as error:
        raise UsageError(f"The report {path} is damaged: {error}") from None
    return report
