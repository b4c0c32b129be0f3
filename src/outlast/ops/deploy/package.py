"""Archives of code whose name says what is in them: the same files give the same bytes and the same key."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outlast.ops.outcome import UsageError

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
READABLE: Final = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip archive and the key it is stored under."""

    key: str
    data: bytes


def pack(kind: str, files: Iterable[tuple[str, bytes]]) -> Archive:
    """An archive of (name, content) pairs under `<kind>/<hash>.zip`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = READABLE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    data = buffer.getvalue()
    return Archive(f"{kind}/{hashlib.sha256(data).hexdigest()[:24]}.zip", data)


def function_archive(source: Path) -> Archive:
    """The order service's function: its package, as the handler `orders.app.handler` expects it."""
    package = source / "examples" / "orders" / "orders"
    return pack("functions", ((f"orders/{path.name}", path.read_bytes()) for path in _modules(package)))


def canary_archive(source: Path) -> Archive:
    """The canaries; Synthetics looks for Python scripts below `python/`."""
    folder = source / "examples" / "orders" / "canaries"
    return pack("canaries", ((f"python/{path.name}", path.read_bytes()) for path in _modules(folder)))


def _modules(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.py"))
    if not found:
        raise UsageError(f"There is no code in {folder}: name the project's folder with --source.")
    return found
