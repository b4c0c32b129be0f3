"""What an evacuation can be switched by, behind one verb.

Routing controls come first: a data plane of five Regions. Stop alarms cost next to nothing: the data plane of the
standby. Weighted records are the last resort: they need Route 53's control plane, which is in one Region.
https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/route-53.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.arc import Switchboard, Try
from outlast.ops.act.evacuate import Board
from outlast.ops.act.failback import Pair
from outlast.ops.act.standby import StandbyBoard
from outlast.ops.act.weights import FULL, Weights
from outlast.ops.clients import Clients, error_code
from outlast.ops.deployment import Deployment, Switch
from outlast.ops.outcome import OpsError, RefusedError, UsageError


class WeightedBoard:
    """Regions as on and off by the weights of their records: off is a home of nothing.

    It knows no safety rule of ARC's, so it keeps the first one itself: the last Region is never switched off.
    """

    def __init__(self, weights: Pair, regions: Sequence[str]) -> None:
        self._weights = weights
        self._regions = tuple(regions)

    def states(self) -> dict[str, bool]:
        """Whether each Region has any of its own traffic. Raises OpsError."""
        return {region: self._told(region) > 0 for region in self._regions}

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
        """Give each Region all of its side, or nothing; those that go on come first. Raises RefusedError, OpsError.

        Not atomic: Route 53 changes one name after another. Safe to repeat. `override` has no rule to name here.
        """
        if override:
            raise RefusedError("Weighted records have no safety rule that could be overridden.")
        if not any(wanted.get(region, on) for region, on in self.states().items()):
            raise RefusedError("It would leave no Region on.")
        for region, on in sorted(wanted.items(), key=lambda each: not each[1]):
            try:
                self._weights.set(region, FULL if on else 0)
            except (ClientError, BotoCoreError) as error:
                raise OpsError(f"The records of {region} could not be changed: {error_code(error)}.") from error

    def _told(self, region: str) -> int:
        try:
            return self._weights.percent(region)
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The records of {region} could not be read: {error_code(error)}.") from error


def board_of(
    switch: Switch | None, clients: Clients, deployment: Deployment, note: Callable[[Try], None] = lambda _: None
) -> Board:
    """The board that `switch` names; None: the one that was deployed. Raises UsageError for one that was not."""
    wanted = switch or deployment.switch
    if wanted == "weighted-records":
        return WeightedBoard(Weights(clients, deployment), deployment.region_names)
    if wanted != deployment.switch:
        raise UsageError(
            f"{deployment.application} was deployed with {deployment.switch}; {wanted} would move nothing."
        )
    if wanted == "standby-takes-over":
        return StandbyBoard(clients, deployment, note)
    return Switchboard(clients, deployment, note)
