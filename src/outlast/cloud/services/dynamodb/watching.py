"""What shows that replication stands still: writes that wait, by table, and a heartbeat for each pair of Regions.

ReplicationLatency is of writes that arrive, so it stops when none does. While all is calm a value comes once a minute,
so that an idle world writes next to nothing; otherwise each second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html (PendingReplicationCount)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB

OWN_NAMESPACE = "Outlast"
HEARTBEAT = "ReplicationHeartbeatAge"
PENDING = "PendingReplicationCount"
LATE_MS = 5000
CALM_S = 60
OLDER_COPY = "OLDER_COPY"


class Healing:
    """Whether this Region's data was put back from an older copy and is not whole again: until everything has been sent
    to everybody once more. Known since the Region's start; nothing of it is on disk.
    """

    def __init__(self) -> None:
        self.reason = ""

    def found(self) -> None:
        """A peer knows more of this Region than its data holds."""
        self.reason = OLDER_COPY

    def look(self, statuses: Iterable[str], is_renewing: bool) -> None:
        """Once a second: it is over when everything is being sent again, and nothing is left to be sent."""
        if not is_renewing and "CREATING" not in statuses:
            self.reason = ""


class Watcher:
    """Publishes both metrics; remembers which were not calm when last looked at."""

    def __init__(self, state: DynamoDB) -> None:
        self._state = state
        self._uneasy: frozenset[tuple[str, ...]] = frozenset()
        self._minute = -1

    def look(self) -> None:
        """Once a second: note what is pending and how long each peer with replicas has not answered."""
        state = self._state
        minute = int(state.region.clock.now_s()) // CALM_S
        all_due, self._minute = minute != self._minute, minute
        uneasy: set[tuple[str, ...]] = set()
        peers: set[str] = set()
        statuses: set[str] = set()
        for table in list(state.tables.values()):
            for peer, replica in table.items.replica_status().items():
                peers.add(peer)
                statuses.add(replica.status)
                if replica.backlog:
                    uneasy.add((table.name, peer))
                if all_due or replica.backlog or (table.name, peer) in self._uneasy:
                    table.metrics.named(PENDING, ReceivingRegion=peer).add(float(replica.backlog))
        state.healing.look(statuses, state.engine.is_renewing)
        for peer, age_ms in state.engine.beat(sorted(peers)).items():
            if age_ms > LATE_MS:
                uneasy.add((peer,))
            if all_due or age_ms > LATE_MS or (peer,) in self._uneasy:
                pair = {"SourceRegion": state.region.name, "ReceivingRegion": peer}
                state.region.meter.series(OWN_NAMESPACE, HEARTBEAT, pair, "Milliseconds").add(float(age_ms))
        self._uneasy = frozenset(uneasy)
