"""How long members of a global table have been coming or leaving, as this Region has seen it itself.

Regions' clocks differ, and step; so no moment is told to another Region, and none is kept over a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB
    from outlast.cloud.services.dynamodb.table import Table

GIVE_UP_MS = 60_000
"""How long a member that was removed may take to leave, before it counts as lost."""


def sight(state: DynamoDB, table: Table, region: str, status: str) -> None:
    """Note that a member is in a status."""
    if table.sightings.get(region, ("",))[0] != status:
        table.sightings[region] = status, state.region.clock.monotonic_s()


def is_late(state: DynamoDB, table: Table, region: str, limit_ms: float | None = None) -> bool:
    """Whether a member has taken long (GIVE_UP_MS, or `limit_ms`) to come, or to leave."""
    status, since_s = table.sightings.get(region, ("", 0.0))
    limit_ms = GIVE_UP_MS if limit_ms is None else limit_ms
    return status in ("CREATING", "DELETING") and 1000 * (state.region.clock.monotonic_s() - since_s) > limit_ms


def was_lost(state: DynamoDB, table: Table, region: str) -> bool:
    """Whether a member that went may have sent its last writes to some of the others only.

    One that leaves in good order is gone soon after it was asked; of one that is not, the survivors must exchange what
    each of them got.
    """
    status, _ = table.sightings.get(region, ("", 0.0))
    return status != "DELETING" or is_late(state, table, region, GIVE_UP_MS / 2)
