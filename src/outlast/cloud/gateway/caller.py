"""Calls between services: in this Region through the gate, to another Region through a link and its gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Fault, Principal, ServiceUnavailable
from outlast.cloud.effects import LinkDown
from outlast.cloud.gateway import forward, pipeline
from outlast.cloud.gateway.gate import Gate


class GateCaller:
    """The `Caller` of one Region."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        network = gate.region.network
        network.serve(forward.CALL_CHANNEL, self._answer_call)
        network.serve(forward.REQUEST_CHANNEL, self._answer_request)

    async def __call__(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        principal: Principal,
        region: str | None = None,
        source_arn: str = "",
    ) -> dict[str, Any]:
        hosted = self._gate.hosted.get(service)
        home = None if hosted is None else self._gate.home(hosted.service)
        if home is not None:
            region = home
        if region is None or region == self._gate.region.name:
            who = pipeline.Caller(principal, source_arn)
            return dict(await pipeline.invoke(self._gate, service, operation, params, who))
        return await self._elsewhere(region, service, operation, params, principal, source_arn)

    async def _elsewhere(
        self,
        region: str,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        principal: Principal,
        source_arn: str,
    ) -> dict[str, Any]:
        message = forward.pack(
            {
                "service": service,
                "operation": operation,
                "params": params,
                "principal": principal.document(),
                "source_arn": source_arn,
            }
        )
        try:
            answer = await self._gate.region.network.ask(region, forward.CALL_CHANNEL, message, forward.TIMEOUT_S)
        except LinkDown as error:
            raise ServiceUnavailable(f"{region} cannot be reached: {error}") from error
        read: dict[str, Any] = forward.unpack(answer)
        if "fault" in read:
            fault = read["fault"]
            raise forward.remote_fault(fault["code"], fault["message"], fault["status"], **fault["fields"])
        reply: dict[str, Any] = read["reply"]
        return reply

    async def _answer_call(self, peer: str, message: bytes) -> bytes:
        read = forward.unpack(message)
        who = pipeline.Caller(Principal.read(read["principal"]), read["source_arn"])
        try:
            reply = await pipeline.invoke(self._gate, read["service"], read["operation"], read["params"], who)
            return forward.pack({"reply": reply})
        except Exception as error:
            fault: Fault = pipeline.as_fault(error)
            fields = {"code": fault.code, "message": fault.message, "status": fault.status, "fields": fault.fields}
            return forward.pack({"fault": fields})

    async def _answer_request(self, peer: str, message: bytes) -> bytes:
        request, source_ip, secure = forward.read_request(message)
        return forward.write_response(await pipeline.respond(self._gate, request, source_ip, secure))
