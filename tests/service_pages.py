"""Writes docs/services: which operations and members of an API this cloud supports, refuses and ignores.

`make pages` writes them anew; a test compares them with what the operations declare and what the API's model knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from outlast.cloud.contract import Service
from outlast.cloud.services.dynamodb import dynamodb, dynamodbstreams, transfers

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "services"
PAGES: Mapping[str, tuple[str, tuple[Service[Any], ...]]] = {
    "dynamodb": ("Amazon DynamoDB and DynamoDB Streams", (dynamodb, dynamodbstreams)),
}
HEAD = """# {title}: operation by operation

Written from the operations' declarations and the API's model by `make pages`; do not edit. A member that is refused
answers `ValidationException`, an operation that is refused `UnknownOperationException`, each with its name. The
[README](../../src/outlast/cloud/services/{name}/README.md) tells the differences in behaviour.
"""


def page(name: str) -> str:
    """The page of a service's folder."""
    title, services = PAGES[name]
    return HEAD.format(title=title, name=name) + "".join(map(_api, services))


def _api(service: Service[Any]) -> str:
    supported, refused = [], []
    for operation in sorted(service.model.operations):
        if operation in service.operations and operation not in transfers.REFUSED:
            supported.append(_row(service, operation))
        else:
            refused.append(operation)
    lines = [
        "",
        f"## {service.model.service_id} ({service.model.api_version})",
        "",
        f"{len(supported)} of {len(supported) + len(refused)} operations are supported.",
        "",
        "| operation | members supported | members refused | members ignored |",
        "|---|---|---|---|",
        *supported,
    ]
    if refused:
        lines += ["", f"Refused: {_listed(refused)}."]
    return "\n".join(lines) + "\n"


def _row(service: Service[Any], operation: str) -> str:
    declared = service.operations[operation]
    members = [member.wire_name for member in declared.operation.members.values()]
    taken = [member for member in members if member in declared.parameters]
    ignored = [member for member in members if member in declared.ignored]
    refused = [member for member in members if member not in declared.parameters and member not in declared.ignored]
    return f"| `{operation}` | {_listed(taken)} | {_listed(refused)} | {_listed(ignored)} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def write() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    write()
