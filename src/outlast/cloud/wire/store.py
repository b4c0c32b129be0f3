"""Where models come from: botocore's data folders and this package's own, kept small.

A model file is parsed once, without its documentation; every shape is kept as compact JSON and parsed again when an
operation that needs it is compiled. So a service that is loaded but little used costs little memory.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import ExtrasProcessor, Loader

OWN_MODELS = Path(__file__).resolve().parents[2] / "models"


class UnknownService(Exception):
    """No model of that name."""


class Shapes(Mapping[str, dict[str, Any]]):
    """Shape name to its raw model, parsed at each look."""

    def __init__(self, shapes: Mapping[str, dict[str, Any]]) -> None:
        self._texts = {name: orjson.dumps(_undocumented(shape)) for name, shape in shapes.items()}

    def __getitem__(self, name: str) -> dict[str, Any]:
        shape: dict[str, Any] = orjson.loads(self._texts[name])
        return shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _undocumented(shape: dict[str, Any]) -> dict[str, Any]:
    shape.pop("documentation", None)
    for reference in shape.get("members", {}).values():
        reference.pop("documentation", None)
    for part in ("member", "key", "value"):
        if part in shape:
            shape[part].pop("documentation", None)
    return shape


@dataclass(frozen=True, slots=True)
class RawModel:
    """A service's description as botocore's ServiceModel takes it, and its modelled errors in raw form."""

    description: dict[str, Any]
    errors: Mapping[str, dict[str, Any]]


@lru_cache(maxsize=8)
def _loader(folder: Path | None) -> Loader:
    extra = [str(path) for path in (folder, OWN_MODELS) if path is not None]
    return Loader(extra_search_paths=extra)


def read(service: str, folder: Path | None = None) -> RawModel:
    """Read the newest model of `service`; `folder` is searched before the bundled ones. Raises UnknownService."""
    loader = _loader(folder)
    try:
        version = loader.determine_latest_version(service, "service-2")
    except (DataNotFoundError, UnknownServiceError) as error:
        raise UnknownService(f"There is no model of a service named {service}") from error
    raw = _find(loader, f"{service}/{version}/service-2")
    extras = [_find(loader, f"{service}/{version}/service-2.sdk-extras", missing_ok=True)]
    ExtrasProcessor().process(raw, [extra for extra in extras if extra])
    shapes = raw["shapes"]
    errors = {name: shape for name, shape in shapes.items() if shape.get("exception")}
    operations = raw["operations"]
    for operation in operations.values():
        operation.pop("documentation", None)
        for reference in operation.get("errors", ()):
            reference.pop("documentation", None)
    description = {"metadata": raw["metadata"], "operations": operations, "shapes": Shapes(shapes)}
    return RawModel(description, errors)


def _parsed(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(text)
    return found


def _find(loader: Loader, name: str, missing_ok: bool = False) -> dict[str, Any]:
    for root in loader.search_paths:
        plain = Path(root) / f"{name}.json"
        packed = Path(root) / f"{name}.json.gz"
        if plain.is_file():
            return _parsed(plain.read_bytes())
        if packed.is_file():
            return _parsed(gzip.decompress(packed.read_bytes()))
    if missing_ok:
        return {}
    raise UnknownService(f"{name} has vanished")
