"""Global tables: replicas in other Regions."""

from __future__ import annotations

from outlast.cloud.services.dynamodb.state import DynamoDB


def serve_peers(state: DynamoDB) -> None:
    """Answer what the DynamoDB services of other Regions ask."""
