"""The APIs of one Region: documents in storage, compiled plans in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.apigateway.errors import NotFoundException
from outlast.cloud.services.apigateway.serving.arriving import arrive
from outlast.cloud.services.apigateway.serving.facts import Facts
from outlast.cloud.services.apigateway.serving.logs import LogWriter
from outlast.cloud.services.apigateway.serving.measures import Metering
from outlast.cloud.services.apigateway.serving.plan import ApiPlan, MethodPlan, compile_api
from outlast.cloud.services.apigateway.serving.refusals import Refusal
from outlast.cloud.services.apigateway.serving.serve import Place
from outlast.cloud.services.apigateway.serving.stages import StagePlan, compile_stage
from outlast.cloud.services.apigateway.serving.throttle import Throttle
from outlast.cloud.wire import Request

Document = dict[str, Any]
ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_PLANS: Final = 200
MAX_TASKS: Final = 10_000


class ApiState:
    """Everything of API Gateway in one Region."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.apis = Shelf(region, "apigateway/apis")
        self.deployments = Shelf(region, "apigateway/deployments")
        self.stages = Shelf(region, "apigateway/stages")
        self._domains = Shelf(region, "apigateway/domains")
        self._account = Shelf(region, "apigateway/account")
        self.domains: dict[str, Document] = dict(self._domains.items())
        self.throttle = Throttle(region.clock.monotonic_s())
        self.metering = Metering(region.meter)
        self.logs = LogWriter(region)
        self.logs.role = self.account.get("cloudwatchRoleArn", "")
        self._plans: dict[tuple[str, str], ApiPlan] = {}
        self._stages: dict[str, StagePlan] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tail = region.entropy.hex(16)
        self._count = 0

    @property
    def port(self) -> int:
        """The port that clients of this Region see."""
        return self.region.addresses.ports[self.region.name]

    def identifier(self, size: int) -> str:
        """A fresh identifier of small letters and digits."""
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in self.region.entropy.token(size))

    def extended_id(self) -> str:
        """A fresh `x-amz-apigw-id`."""
        self._count += 1
        return f"{self._tail[:8]}{self._count:07x}="

    def trace_tail(self) -> str:
        """The last part of a fresh trace id: 24 hexadecimal digits."""
        self._count += 1
        return f"{self._tail}{self._count:08x}"

    # documents

    def api(self, ident: str) -> Document:
        """An API's document, free to change; raises NotFoundException."""
        document = self.apis.get(ident)
        if document is None:
            raise NotFoundException.of("API")
        return document

    def put_api(self, document: Mapping[str, Any]) -> None:
        """Store an API; it is served as it was last deployed."""
        self.apis.put(document["id"], document)

    def stage(self, api: str, name: str) -> Document:
        """A stage's document; raises NotFoundException."""
        self.api(api)
        document = self.stages.get(f"{api}/{name}")
        if document is None:
            raise NotFoundException("Invalid stage identifier specified")
        return document

    def put_stage(self, document: Mapping[str, Any]) -> None:
        """Store a stage; it is served so from the next request on."""
        key = f"{document['apiId']}/{document['stageName']}"
        self.stages.put(key, document)
        self._stages.pop(key, None)

    def remove_stage(self, api: str, name: str) -> None:
        """Forget a stage."""
        self.stages.delete(f"{api}/{name}")
        self._stages.pop(f"{api}/{name}", None)

    def domain(self, name: str) -> Document:
        """A custom domain name's document; raises NotFoundException."""
        document = self._domains.get(name)
        if document is None:
            raise NotFoundException("Invalid domain name identifier specified")
        return document

    def put_domain(self, document: Mapping[str, Any]) -> None:
        """Store a custom domain name with its mappings."""
        self._domains.put(document["domainName"], document)
        self.domains[document["domainName"]] = dict(document)

    def remove_domain(self, name: str) -> None:
        """Forget a custom domain name."""
        self._domains.delete(name)
        self.domains.pop(name, None)

    @property
    def account(self) -> Document:
        """The account's settings in this Region."""
        return self._account.get("account") or {}

    def put_account(self, document: Mapping[str, Any]) -> None:
        """Store the account's settings."""
        self._account.put("account", document)
        self.logs.role = document.get("cloudwatchRoleArn", "")

    def remove_api(self, ident: str) -> None:
        """Forget an API with its stages and deployments."""
        for shelf in (self.stages, self.deployments):
            for key in shelf.keys(f"{ident}/"):
                shelf.delete(key)
        self.apis.delete(ident)
        self._stages = {key: plan for key, plan in self._stages.items() if plan.api_id != ident}
        self._plans = {key: plan for key, plan in self._plans.items() if key[0] != ident}

    # serving

    def place(self, request: Request) -> Place:
        """Where a request goes; raises Refusal."""
        arrival = arrive(request, self.region.name, self.domains)
        stage = self._stage_plan(arrival.api_id, arrival.stage)
        plan = None if stage is None else self._api_plan(stage)
        if stage is None or plan is None or (arrival.own_endpoint and not plan.own_endpoint):
            raise Refusal("DEFAULT_4XX", "Forbidden", status=403, error="ForbiddenException")
        return Place(arrival, plan, stage)

    def _stage_plan(self, api: str, name: str) -> StagePlan | None:
        key = f"{api}/{name}"
        known = self._stages.get(key)
        if known is None:
            document = self.stages.get(key)
            if document is None:
                return None
            known = compile_stage(document)
            self._stages[key] = known
        return known

    def _api_plan(self, stage: StagePlan) -> ApiPlan | None:
        key = (stage.api_id, stage.deployment_id)
        known = self._plans.get(key)
        if known is None:
            document = self.deployments.get(f"{stage.api_id}/{stage.deployment_id}")
            if document is None:
                return None
            known = compile_api(document["api"], stage.deployment_id)
            while len(self._plans) >= MAX_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = known
        return known

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let a function go on that nobody waits for any more; bounded."""
        if len(self._tasks) >= MAX_TASKS:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def log_refusal(self, stage: StagePlan, method: MethodPlan | None, facts: Facts, refusal: Refusal) -> None:
        """Write the execution log's lines for a request that was not answered by its integration."""
        key = "*/*" if method is None else method.key
        if not self.logs.role or not stage.logs_execution(key, error=True):
            return
        group = f"API-Gateway-Execution-Logs_{stage.api_id}/{stage.name}"
        text = refusal.log or f"Gateway response type: {refusal.kind} with status code: {refusal.status}"
        self.logs.add(group, self.region.clock.now_ms(), f"({facts.request_id}) {text}")

    async def close(self) -> None:
        """Send what logs wait."""
        await self.logs.flush()
