"""What shows that replication stands still: writes that wait, by table, and a heartbeat for each pair of Regions.

ReplicationLatency is of writes that arrive, so it stops when none does. While all is calm a value comes once a minute,
so that an idle world writes next to nothing; otherwise each second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html (PendingReplicationCount)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlast.cloud.services.dynamodb.state import DynamoDB
    from outlast.cloud.services.dynamodb.table import Table

OWN_NAMESPACE = "Outlast"
HEARTBEAT = "ReplicationHeartbeatAge"
PENDING = "PendingReplicationCount"
LATE_MS = 5000
CALM_S = 60
OLDER_COPY = "OLDER_COPY"
CREATING = "CREATING"


class Healing:
    """Whether this Region's data was put back from an older copy and is not whole again: until all has been sent to
    everybody once more, and everybody has said that nothing more is sent here. Known since the Region's start; nothing
    of it is on disk.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._sends = True
        self._whole: set[tuple[str, str]] = set()

    def found(self) -> None:
        """A peer knows more of this Region than its data holds."""
        self.reason, self._sends = OLDER_COPY, True
        self._whole.clear()

    def heard(self, peer: str, table: str, fills: bool) -> None:
        """A peer says whether it still sends existing items here. It does not know that it must before this Region has
        greeted it as another; so its word counts once this Region has sent everything.
        """
        if self.reason and not self._sends and not fills:
            self._whole.add((peer, table))

    def look(self, links: Mapping[tuple[str, str], str], is_renewing: bool) -> None:
        """Once a second: the status of what is sent to each peer, by peer and table."""
        self._sends = is_renewing or CREATING in links.values()
        if self._sends:
            self._whole.clear()
        elif self._whole.issuperset(links):
            self.reason = ""


def fills(table: Table, peer: str) -> bool:
    """Whether existing items of a table are still being sent to a peer."""
    replica = table.items.replica_status().get(peer)
    return replica is not None and replica.status == CREATING


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
        links: dict[tuple[str, str], str] = {}
        for table in list(state.tables.values()):
            for peer, replica in table.items.replica_status().items():
                peers.add(peer)
                links[peer, table.name] = replica.status
                if replica.backlog:
                    uneasy.add((table.name, peer))
                if all_due or replica.backlog or (table.name, peer) in self._uneasy:
                    table.metrics.named(PENDING, ReceivingRegion=peer).add(float(replica.backlog))
        state.healing.look(links, state.engine.is_renewing)
        for peer, age_ms in state.engine.beat(sorted(peers)).items():
            if age_ms > LATE_MS:
                uneasy.add((peer,))
            if all_due or age_ms > LATE_MS or (peer,) in self._uneasy:
                pair = {"SourceRegion": state.region.name, "ReceivingRegion": peer}
                state.region.meter.series(OWN_NAMESPACE, HEARTBEAT, pair, "Milliseconds").add(float(age_ms))
        self._uneasy = frozenset(uneasy)
