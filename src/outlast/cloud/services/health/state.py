"""What AWS Health knows in a Region that offers it."""

from __future__ import annotations

from outlast.cloud.contract import Region, Shelf, ValidationException
from outlast.cloud.services.health.model import HealthEvent

ENDPOINTS = ("us-east-1", "us-west-2")
"""The active and the passive endpoint of AWS Health."""
MAX_EVENTS = 500


class Events:
    """Events of the whole world, as told by one endpoint."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._shelf = Shelf(region, "health/events")

    @classmethod
    def open(cls, region: Region) -> Events:
        """The state of `region`."""
        return cls(region)

    @property
    def delay_ms(self) -> int:
        """How long an issue lasts before it is told."""
        return int(float(self.region.settings.get("health_event_delay_s", 30.0)) * 1000)

    @property
    def is_endpoint(self) -> bool:
        """Whether this Region offers AWS Health: AWS's two, or the first two of a world that lacks both."""
        offered = [name for name in ENDPOINTS if name in self.region.names] or list(self.region.names[:2])
        return self.region.name in offered

    def check(self) -> None:
        """Raise ValidationException in a Region without the API."""
        if not self.is_endpoint:
            raise ValidationException(
                f"AWS Health has no endpoint in {self.region.name}; ask {' or '.join(ENDPOINTS)}."
            )

    def all(self) -> list[HealthEvent]:
        """Every event, the newest first."""
        found = [HealthEvent(**document) for _, document in self._shelf.items()]
        return sorted(found, key=lambda one: (-one.started_ms, one.arn))

    def get(self, arn: str) -> HealthEvent | None:
        document = self._shelf.get(arn)
        return None if document is None else HealthEvent(**document)

    def put(self, event: HealthEvent) -> None:
        """Keep an event when it is new or has changed; the oldest closed ones go when there are too many."""
        if self.get(event.arn) != event:
            self._shelf.put(event.arn, event.document())
        if len(self._shelf) > MAX_EVENTS:
            closed = [one for one in self.all() if one.ended_ms is not None]
            for one in closed[MAX_EVENTS // 2 :]:
                self._shelf.delete(one.arn)
