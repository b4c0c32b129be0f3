"""The heartbeat: an item written in one Region and looked for in the other, because replication's own metric stops, and
does not rise, when the link is cut.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_monitoring.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import error_code
from outlast.ops.sightings import Sample


@dataclass(frozen=True, slots=True)
class Beat:
    """How old the newest heartbeat of `origin` is in `seen_in`, in milliseconds; None when none could be seen.

    `not_written` and `not_read` say what went wrong in `origin` and in `seen_in`.
    """

    origin: str
    seen_in: str
    age_ms: float | None
    not_written: str = ""
    not_read: str = ""

    @property
    def error(self) -> str:
        """What went wrong, if anything."""
        return "; ".join(each for each in (self.not_written, self.not_read) if each)

    def sample(self, at_s: float, limit_ms: float) -> Sample:
        """Whom it speaks against: a Region that cannot be read, else the origin that cannot write or is late."""
        if self.not_read:
            return Sample(at_s, "heartbeat", self.seen_in, True, self.not_read)
        if self.not_written:
            return Sample(at_s, "heartbeat", self.origin, True, self.not_written)
        if self.age_ms is None:
            return Sample(at_s, "heartbeat", self.origin, True, f"never seen in {self.seen_in}")
        bad = self.age_ms > limit_ms
        detail = f"{self.age_ms / 1000:.1f} s old in {self.seen_in}" if bad else ""
        return Sample(at_s, "heartbeat", self.origin, bad, detail)


def heartbeat_key(origin: str) -> dict[str, dict[str, str]]:
    """The key of a Region's heartbeat in the customers table."""
    return {"customer_id": {"S": f"heartbeat-{origin}"}}


def write(client: Any, table: str, origin: str, now_s: float) -> str:
    """Write `origin`'s heartbeat there; what went wrong, or empty."""
    try:
        client.put_item(TableName=table, Item={**heartbeat_key(origin), "sent_ms": {"N": str(int(now_s * 1000))}})
    except (ClientError, BotoCoreError) as error:
        return f"not written in {origin}: {error_code(error)}"
    return ""


def read(client: Any, table: str, origin: str, seen_in: str, now_s: float) -> Beat:
    """Look for `origin`'s heartbeat through a client of `seen_in`."""
    try:
        item = client.get_item(TableName=table, Key=heartbeat_key(origin), ConsistentRead=True).get("Item")
    except (ClientError, BotoCoreError) as error:
        return Beat(origin, seen_in, None, not_read=f"not read in {seen_in}: {error_code(error)}")
    if item is None or "sent_ms" not in item:
        return Beat(origin, seen_in, None)
    return Beat(origin, seen_in, max(0.0, now_s * 1000 - float(item["sent_ms"]["N"])))
