"""The conflict ledger: writes that a concurrent write elsewhere overwrote. A local world keeps one; AWS does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import Clients
from outlast.ops.deployment import Deployment


def conflicts(clients: Clients, deployment: Deployment, since_s: float) -> list[dict[str, Any]] | None:
    """Conflicts since `since_s`, each once, oldest first; None where there is no ledger or it cannot be read."""
    if clients.kind != "local":
        return None
    found: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        for part in deployment.regions:
            pages = clients.of("outlast", part.name).get_paginator("list_conflicts")
            for page in pages.paginate(Since=datetime.fromtimestamp(since_s, UTC)):
                for conflict in page.get("Conflicts", []):
                    found.setdefault(_identity(conflict), _plain(conflict))
    except (ClientError, BotoCoreError):
        return None
    return sorted(found.values(), key=lambda conflict: str(conflict.get("DetectedAt", "")))


def _identity(conflict: dict[str, Any]) -> tuple[str, str]:
    versions = sorted(str(conflict.get(side, {}).get("Clock", "")) for side in ("Winner", "Loser"))
    return f"{conflict.get('TableName')}/{conflict.get('Key')}", "/".join(versions)


def _plain(value: Any) -> Any:
    """The same with every moment as ISO 8601: plain JSON."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value.isoformat() if isinstance(value, datetime) else value
