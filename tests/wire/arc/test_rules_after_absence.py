"""What an endpoint goes by that was away while the configuration changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.arc.conftest import Arc

AWAY = "eu-west-1"


@pytest.mark.slow
def test_an_endpoint_that_was_away_judges_by_the_rules_made_meanwhile(make_world: Callable[..., World]) -> None:
    """Copies are long on their way here: an endpoint that answered before they came would let the change pass."""
    arc = Arc(make_world("--replication-delay-ms", "1500-1500"))
    cluster = arc.cluster("c")
    panel = arc.panel(cluster, "p")
    one = arc.control(cluster, panel, "one")
    arc.set(AWAY, {one: True})
    arc.world.control("stop-region", region=AWAY)
    rule = arc.assertion(panel, "one-stays-on", [one])
    arc.world.control("start-region", region=AWAY)
    with pytest.raises(ClientError, match="one-stays-on") as caught:
        arc.set(AWAY, {one: False})
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    arc.set(AWAY, {one: False}, SafetyRulesToOverride=[rule])
    assert not arc.state("ap-northeast-1", one)
