"""Faults of the world as the pipeline applies them: errors, latency, throttling, a lost control plane."""

from __future__ import annotations

from outlast.cloud.contract import (
    Declared,
    InternalServerError,
    Region,
    RemoteFault,
    ServiceUnavailable,
    ThrottlingException,
)


async def apply(region: Region, service: str, declared: Declared) -> None:
    """Delay, refuse or fail the request as the active faults of this Region say."""
    if declared.control_plane and region.faults.of("control-plane-lost", service) is not None:
        raise ServiceUnavailable(f"The control plane of {service} is not available.")
    await _apply(region, service, declared.operation.name)


async def apply_to_door(region: Region, service: str) -> None:
    """The same for a request that is no API call."""
    await _apply(region, service, "")


async def _apply(region: Region, service: str, operation: str) -> None:
    gray = region.faults.of("gray-failure", service, operation)
    if gray is not None:
        parameters = gray.spec.parameters
        await _delay(region, float(parameters.get("delay_share", 0.3)), float(parameters.get("delay_ms", 2000)))
        _fail(region, float(parameters.get("error_share", 0.3)), "InternalServerError", 500)
    slow = region.faults.of("service-latency", service, operation)
    if slow is not None:
        parameters = slow.spec.parameters
        await _delay(region, float(parameters.get("share", 1.0)), float(parameters.get("delay_ms", 1000)))
    throttled = region.faults.of("service-throttling", service, operation)
    if throttled is not None and region.entropy.uniform() < float(throttled.spec.parameters.get("share", 1.0)):
        raise ThrottlingException("Rate exceeded")
    failing = region.faults.of("service-errors", service, operation)
    if failing is not None:
        parameters = failing.spec.parameters
        code, status = str(parameters.get("code", "InternalServerError")), int(parameters.get("status", 500))
        _fail(region, float(parameters.get("share", 1.0)), code, status)


async def _delay(region: Region, share: float, delay_ms: float) -> None:
    if region.entropy.uniform() < share:
        await region.clock.sleep(delay_ms / 1000)


def _fail(region: Region, share: float, code: str, status: int) -> None:
    if region.entropy.uniform() < share:
        if (code, status) == ("InternalServerError", 500):
            raise InternalServerError("The request could not be processed.")
        raise RemoteFault(code, "The request could not be processed.", status)
