"""What a worker may import: the standard library, its own code, what AWS ships with the runtime, and its layers.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html (runtime-included SDK) and
https://docs.powertools.aws.dev/lambda/python/latest/ (what the Powertools layer brings). The world's own packages
are out of reach, so a function that would not import on AWS does not import here.
"""

from __future__ import annotations

import functools
import importlib.machinery
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

RUNTIME_PACKAGES: Final = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"})
LAYER_PACKAGES: Final = {
    "powertools": frozenset(
        {
            "aws_lambda_powertools",
            "typing_extensions",
            "pydantic",
            "pydantic_core",
            "annotated_types",
            "typing_inspection",
            "fastjsonschema",
            "aws_xray_sdk",
            "aws_encryption_sdk",
            "jsonpath_ng",
            "redis",
            "cffi",
            "cryptography",
            "wrapt",
            "ply",
        }
    )
}


class Fence:
    """A finder that sees only the named top-level packages of the installation's package folders."""

    def __init__(self, packages: frozenset[str], folders: Sequence[str]) -> None:
        self._packages = packages
        self._folders = list(folders)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As the import system asks; None for what is outside."""
        if path is not None or fullname not in self._packages:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, self._folders, target)


def _package_folders() -> list[str]:
    """The folders this installation's packages lie in."""
    return [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]


def _library_folders() -> list[str]:
    """The standard library's own folders."""
    wanted = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return [
        entry for entry in sys.path if entry in wanted or Path(entry).name == "lib-dynload" or entry.endswith(".zip")
    ]


def _outsiders(allowed: frozenset[str], packages: tuple[str, ...]) -> list[str]:
    """Loaded modules that lie in package folders and are not allowed."""
    names: list[str] = []
    for name, module in sys.modules.items():
        origin: Any = getattr(module, "__file__", None)
        root = name.partition(".")[0]
        outside = root in ("outlast", "__mp_main__") or (origin is not None and str(origin).startswith(packages))
        if outside and root not in allowed and name != "__main__":
            names.append(name)
    return names


@dataclass(frozen=True, slots=True)
class Plan:
    """What enclosing changes, worked out before the fork."""

    library: tuple[str, ...]
    packages: tuple[str, ...]
    allowed: frozenset[str]
    forgotten: tuple[str, ...]


@functools.cache
def plan(layers: tuple[str, ...]) -> Plan:
    """The fence for a set of layers; raises KeyError for an unknown one. The template asks once for each."""
    allowed = RUNTIME_PACKAGES.union(*(LAYER_PACKAGES[layer] for layer in layers))
    packages = tuple(_package_folders())
    return Plan(tuple(_library_folders()), packages, allowed, tuple(_outsiders(allowed, packages)))


def enclose(task_folder: str, layers: tuple[str, ...]) -> None:
    """Put the fence up: from now on this process imports what the function would find on AWS, nothing else."""
    planned = plan(layers)
    sys.path[:] = [task_folder, *planned.library]
    sys.meta_path[:] = [
        importlib.machinery.BuiltinImporter,
        importlib.machinery.FrozenImporter,
        importlib.machinery.PathFinder,
        Fence(planned.allowed, planned.packages),
    ]
    for name in planned.forgotten:
        sys.modules.pop(name, None)
    sys.path_importer_cache.clear()
    sys.modules["__main__"] = ModuleType("__main__")
