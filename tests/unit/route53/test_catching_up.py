"""What a Region waits for before it answers again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from outlast.cloud.effects import LinkDown
from outlast.cloud.services.route53.catching_up import WAIT_S, CatchingUp

HOME, HERE, OTHER = "us-east-1", "us-west-2", "eu-west-1"


class Away:
    """A Region that comes back: it holds `held` (zone: version), and `arrives` comes by its second look."""

    def __init__(
        self, held: dict[str, int], answers: dict[str, Any], arrives: dict[str, int | None], name: str
    ) -> None:
        self.zones, self.arrives, self.answers = held, arrives, answers
        self.now_s = 0.0
        self.healthy: dict[str, bool] = {"check": True}
        self.state: Any = SimpleNamespace(
            zones=held,
            home=HOME,
            plane=SimpleNamespace(version=lambda zone_id: held.get(zone_id, 0)),
            board=SimpleNamespace(remember=self.healthy.update, plain=lambda: dict(self.healthy)),
            conclude=lambda: None,
            region=SimpleNamespace(
                name=name,
                clock=SimpleNamespace(monotonic_s=lambda: self.now_s, sleep=self.sleep),
                network=SimpleNamespace(
                    peers=tuple(each for each in (HOME, HERE, OTHER) if each != name),
                    serve=lambda _channel, _handler: None,
                    ask=self.ask,
                ),
            ),
        )

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        for zone_id, version in self.arrives.items():
            self.zones.pop(zone_id, None)
            if version is not None:
                self.zones[zone_id] = version

    async def ask(self, peer: str, _channel: str, _message: bytes, _timeout_s: float) -> bytes:
        if peer not in self.answers:
            raise LinkDown("cut")
        return orjson.dumps({"healthy": {}, "current": True, **self.answers[peer]})


def told(zones: dict[str, int], **more: Any) -> dict[str, Any]:
    return {"zones": zones, **more}


@pytest.mark.parametrize(
    ("held", "answers", "arrives", "name", "waits"),
    [
        ({"Z": 1}, {}, {}, HERE, "not"),
        ({"Z": 2}, {HOME: told({"Z": 2}), OTHER: told({"Z": 2})}, {}, HERE, "not"),
        ({"Z": 1}, {HOME: told({"Z": 2})}, {"Z": 2}, HERE, "until it comes"),
        ({"Z": 1}, {OTHER: told({"Z": 2})}, {"Z": 2}, HERE, "until it comes"),
        ({"Z": 1}, {HOME: told({})}, {"Z": None}, HERE, "until it comes"),
        ({"Z": 1}, {HOME: told({"Z": 2})}, {}, HERE, "no longer than it may"),
        ({"Z": 3}, {HERE: told({"Z": 2, "GONE": 4})}, {}, HOME, "not"),
        ({}, {HERE: told({"Z": 2})}, {"Z": 2}, HOME, "until it comes"),
    ],
)
async def test_a_region_waits_for_what_it_missed_and_no_longer(
    held: dict[str, int], answers: dict[str, Any], arrives: dict[str, int | None], name: str, waits: str
) -> None:
    away = Away(held, answers, arrives, name)
    await CatchingUp(away.state).run()
    took = "not" if away.now_s == 0 else "until it comes" if away.now_s < WAIT_S else "no longer than it may"
    assert took == waits


async def test_health_is_taken_over_from_one_that_is_not_starting_itself() -> None:
    starting = told({}, healthy={"check": True}, current=False)
    away = Away({}, {HOME: starting, OTHER: told({}, healthy={"check": False})}, {}, HERE)
    await CatchingUp(away.state).run()
    assert away.healthy == {"check": False}
