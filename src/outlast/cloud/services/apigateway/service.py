"""Amazon API Gateway's REST APIs, as the Region hosts them: the control plane, and the door `execute-api`."""

from __future__ import annotations

from outlast.cloud.contract import DoorCall, Service
from outlast.cloud.services.apigateway.resources import RESOURCE_TYPES
from outlast.cloud.services.apigateway.serving.arriving import DIRECT, host_of, suffix_of
from outlast.cloud.services.apigateway.serving.serve import serve
from outlast.cloud.services.apigateway.state import ApiState
from outlast.cloud.wire import Request, Response

apigateway: Service[ApiState] = Service(
    "apigateway", open=ApiState, linked=("acm:DescribeCertificate",), resource_types=RESOURCE_TYPES
)


def is_for_an_api(state: ApiState, request: Request) -> bool:
    """Whether a request is for an API rather than for API Gateway's own API."""
    if request.path.startswith(DIRECT):
        return True
    host = host_of(request)
    return host in state.domains or host.endswith(suffix_of(state.region.name))


@apigateway.door("execute-api", claims=is_for_an_api)
async def execute(call: DoorCall[ApiState]) -> Response:
    """Answer a request for an API."""
    return await serve(call)


@apigateway.timer
async def write_logs(state: ApiState) -> None:
    """Send access and execution logs to CloudWatch Logs."""
    await state.logs.run()


@apigateway.closer
async def close(state: ApiState) -> None:
    """Send what logs wait."""
    await state.close()
