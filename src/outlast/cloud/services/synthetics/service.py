"""CloudWatch Synthetics, as the Region hosts it."""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.synthetics.resources import RESOURCE_TYPES
from outlast.cloud.services.synthetics.state import CanaryState

synthetics: Service[CanaryState] = Service(
    "synthetics",
    open=CanaryState,
    linked=("lambda:InvokeFunction", "lambda:GetFunctionConfiguration"),
    resource_types=RESOURCE_TYPES,
)


@synthetics.timer
async def run_canaries(state: CanaryState) -> None:
    """Run canaries by their schedules."""
    await state.run()


@synthetics.closer
async def close(state: CanaryState) -> None:
    """Let runs under way go."""
    await state.close()
