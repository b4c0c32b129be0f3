"""The CloudWatch service of one Region."""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.cloudwatch.alarms.actions import act_for_ever
from outlast.cloud.services.cloudwatch.alarms.run import evaluate_for_ever
from outlast.cloud.services.cloudwatch.own import drain_for_ever
from outlast.cloud.services.cloudwatch.resources import RESOURCE_TYPES
from outlast.cloud.services.cloudwatch.state import Watch
from outlast.cloud.services.cloudwatch.store.rollup import roll_up_for_ever

cloudwatch: Service[Watch] = Service(
    "cloudwatch",
    open=Watch.open,
    action_prefix="cloudwatch",
    resource_types=RESOURCE_TYPES,
)
cloudwatch.timer(drain_for_ever)
cloudwatch.timer(evaluate_for_ever)
cloudwatch.timer(act_for_ever)


@cloudwatch.timer
async def flush(state: Watch) -> None:
    """Move young metric data to where it is kept."""
    await state.store.flush_for_ever()


@cloudwatch.timer
async def roll_up(state: Watch) -> None:
    """Let metric data grow old."""
    await roll_up_for_ever(state.store, state.region)


ALARM = "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}"
ANY_ALARM = "arn:aws:cloudwatch:{region}:{account}:alarm:*"
DASHBOARD = "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}"
