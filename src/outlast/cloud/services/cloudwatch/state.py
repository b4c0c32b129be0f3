"""What CloudWatch keeps in one Region: metric data, alarms with their history, dashboards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.cloudwatch.model import Alarm, AlarmState, Document, HistoryItem
from outlast.cloud.services.cloudwatch.store.store import MetricStore

MAX_ALARMS = 5_000
MAX_HISTORY = 500
MAX_ACTIONS = 1_000
ACTION_MEMBERS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


class Watch:
    """The state of CloudWatch in one Region. `evaluated_s` says up to when each alarm has been evaluated."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.store = MetricStore(region)
        self._alarms = Shelf(region, "cloudwatch/alarms")
        self.dashboards = Shelf(region, "cloudwatch/dashboards")
        self._history = region.engine.space("cloudwatch/history")
        self._n_history = 0
        self.alarms: dict[str, Alarm] = {name: _alarm(document) for name, document in self._alarms.items()}
        self.evaluated_s: dict[str, int] = {}
        self.actions: asyncio.Queue[tuple[Alarm, str, str]] = asyncio.Queue(MAX_ACTIONS)

    @classmethod
    def open(cls, region: Region) -> Watch:
        """The state of `region`."""
        return cls(region)

    # ---- alarms

    def put_alarm(self, alarm: Alarm) -> None:
        """Keep the alarm's new version."""
        self._alarms.put(alarm.name, alarm.document())
        self.alarms[alarm.name] = alarm

    def drop_alarm(self, name: str) -> None:
        """Forget the alarm; its history stays."""
        self._alarms.delete(name)
        self.alarms.pop(name, None)
        self.evaluated_s.pop(name, None)

    def set_state(self, alarm: Alarm, state: AlarmState, reason: str, reason_data: str) -> Alarm:
        """Put the alarm into `state`; a change is told in its history and sets its actions off."""
        now_ms = self.region.clock.now_ms()
        changed = alarm.state != state
        after = replace(
            alarm,
            state=state,
            reason=reason[:1023],
            reason_data=reason_data[:4000],
            state_ms=now_ms,
            changed_ms=now_ms if changed else alarm.changed_ms,
        )
        self.put_alarm(after)
        if changed:
            self._tell_change(alarm, after)
            self._act(after, alarm.state)
        return after

    def _tell_change(self, before: Alarm, after: Alarm) -> None:
        data = {
            "version": "1.0",
            "oldState": _state_data(before),
            "newState": _state_data(after),
        }
        self.tell(after, "StateUpdate", f"Alarm updated from {before.state} to {after.state}", data)

    def _act(self, alarm: Alarm, before: AlarmState) -> None:
        if not alarm.definition.get("ActionsEnabled", True):
            return
        for arn in alarm.definition.get(ACTION_MEMBERS[alarm.state], ()):
            if self.actions.full():
                self.tell_action(alarm, arn, "too many actions are waiting")
            else:
                self.actions.put_nowait((alarm, arn, before))

    # ---- history

    def tell(self, alarm: Alarm, kind: Any, summary: str, data: Document) -> None:
        """Write a line of the alarm's history; the oldest go when there are too many."""
        self._n_history += 1
        item = HistoryItem(
            alarm=alarm.name,
            at_ms=self.region.clock.now_ms(),
            kind=kind,
            summary=summary[:255],
            data=orjson.dumps(data).decode()[:4095],
            alarm_type="CompositeAlarm" if alarm.is_composite else "MetricAlarm",
        )
        start = alarm.name.encode() + b"\0"
        kept = [key for key, _ in self._history.range(start, start + b"\xff")]
        key = start + item.at_ms.to_bytes(8, "big") + self._n_history.to_bytes(6, "big")
        with self.region.engine.begin() as tx:
            tx.put(self._history, key, orjson.dumps(asdict(item)))
            for old in kept[: max(0, len(kept) + 1 - MAX_HISTORY)]:
                tx.delete(self._history, old)

    def tell_action(self, alarm: Alarm, arn: str, failure: str = "") -> None:
        """Note that an action was carried out, or why it was not."""
        if failure:
            summary = f"Failed to execute action {arn}. Received error: {failure}"
        else:
            summary = f"Successfully executed action {arn}"
        data = {"version": "1.0", "action": arn, "state": alarm.state, "error": failure or None}
        self.tell(alarm, "Action", summary, data)

    def history(self, name: str | None = None) -> Iterator[HistoryItem]:
        """Lines of one alarm's history, or of all, oldest first within an alarm."""
        start, end = (b"", None) if name is None else (name.encode() + b"\0", name.encode() + b"\0\xff")
        for _, packed in self._history.range(start, end):
            yield HistoryItem(**orjson.loads(packed))


def _alarm(document: Document) -> Alarm:
    return Alarm(**document)


def _state_data(alarm: Alarm) -> Document:
    return {
        "stateValue": alarm.state,
        "stateReason": alarm.reason,
        "stateReasonData": orjson.loads(alarm.reason_data) if alarm.reason_data else None,
    }
