"""APIs made for tests, and requests for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import DoorCall, Fault, Principal
from outlast.cloud.services.apigateway.serving.serve import serve
from outlast.cloud.wire import Request, Response
from tests.unit.lambda_.regions import ACCOUNT, Place

ANONYMOUS = Principal.anonymous()
LAMBDA = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{}/invocations"


@dataclass(frozen=True)
class Api:
    """An API under construction."""

    place: Place
    id: str
    root: str

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self.place.call("apigateway", operation, restApiId=self.id, **params)

    async def resource(self, path: str) -> str:
        """The id of the resource at a path, made with its parents."""
        found = {each["path"]: each["id"] for each in (await self.call("GetResources", limit=500))["items"]}
        at, whole = self.root, ""
        for part in [part for part in path.split("/") if part]:
            whole += f"/{part}"
            if whole not in found:
                found[whole] = (await self.call("CreateResource", parentId=at, pathPart=part))["id"]
            at = found[whole]
        return at

    async def mock(self, path: str, method: str = "GET", body: str = '{"ok": true}', **changes: Any) -> None:
        """A method that answers by itself."""
        place = {"resourceId": await self.resource(path), "httpMethod": method}
        await self.call("PutMethod", **place, authorizationType=changes.pop("auth", "NONE"), **changes)
        await self.call("PutMethodResponse", **place, statusCode="200")
        templates = {"application/json": '{"statusCode": 200}'}
        await self.call("PutIntegration", **place, type="MOCK", requestTemplates=templates)
        await self.call(
            "PutIntegrationResponse", **place, statusCode="200", responseTemplates={"application/json": body}
        )

    async def proxy(self, path: str, method: str, function: str, **changes: Any) -> None:
        """A method that a function answers."""
        place = {"resourceId": await self.resource(path), "httpMethod": method}
        await self.call("PutMethod", **place, authorizationType=changes.pop("auth", "NONE"))
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"
        params = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": LAMBDA.format(arn), **changes}
        await self.call("PutIntegration", **place, **params)

    async def deploy(self, stage: str = "live") -> str:
        """Deploy to a stage; the deployment's id."""
        ident: str = (await self.call("CreateDeployment", stageName=stage))["id"]
        return ident

    async def get(self, path: str, method: str = "GET", stage: str = "live", **changes: Any) -> Answer:
        """Send a request by the API's own name."""
        host = f"{self.id}.execute-api.us-east-1.amazonaws.com"
        return await send(self.place, method, f"/{stage}{path}", host, **changes)


@dataclass(frozen=True)
class Answer:
    """A response, read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def send(
    place: Place,
    method: str,
    target: str,
    host: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    principal: Principal = ANONYMOUS,
    refusal: Fault | None = None,
    fault: Fault | None = None,
    secure: bool = True,
) -> Answer:
    """One request through the door."""
    path, _, query = target.partition("?")
    request = Request(method, path, query, {"host": f"{host}:4566", "user-agent": "test", **(headers or {})}, body)
    call = DoorCall(
        place.state("apigateway"),
        place.region,
        request,
        principal,
        refusal,
        "request-1",
        place.region.clock.now_ms(),
        "10.0.0.7",
        fault,
        secure,
    )
    response: Response = await serve(call)
    return Answer(response.status, {name.lower(): value for name, value in response.headers}, response.body)


async def new_api(place: Place, **params: Any) -> Api:
    """An API without resources."""
    made = await place.call("apigateway", "CreateRestApi", **{"name": "orders", **params})
    return Api(place, made["id"], made["rootResourceId"])
