"""AWS Lambda, as the Region hosts it."""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.lambda_.invoking import run_event
from outlast.cloud.services.lambda_.resources import RESOURCE_TYPES
from outlast.cloud.services.lambda_.state import LambdaState

lambda_: Service[LambdaState] = Service(
    "lambda",
    open=LambdaState.open,
    resource_policy=lambda state, arn: state.policy(arn),
    resource_types=RESOURCE_TYPES,
)


@lambda_.timer
async def provision(state: LambdaState) -> None:
    """Bring functions from Pending to Active."""
    await state.provisioner.run()


@lambda_.timer
async def ship_logs(state: LambdaState) -> None:
    """Send log lines to CloudWatch Logs."""
    await state.shipper.run()


@lambda_.timer
async def run_events(state: LambdaState) -> None:
    """Run asynchronous events when they are due."""
    await state.events.run(lambda event, payload: run_event(state, event, payload))


@lambda_.closer
async def close(state: LambdaState) -> None:
    """End every worker."""
    await state.close()
