"""AWS::ApiGateway::RestApi, Model, RequestValidator, GatewayResponse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from outlast.cloud.contract import Calls, Fault, Made, Stack
from outlast.cloud.services.apigateway.resources.common import (
    SERVICE,
    Patch,
    boolean,
    escaped,
    lowered,
    or_gone,
    removing,
    replacing,
    retag,
    tags_of,
)

TOKEN: Final = "outlast:cloudformation:token"  # noqa: S105


def json_text(value: Any) -> str:
    """A document that a template writes as an object or as text."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


class RestApiType:
    """AWS::ApiGateway::RestApi. A tag remembers which run of the stack made it, so that a resumed one finds it."""

    type_name = "AWS::ApiGateway::RestApi"
    properties = frozenset(
        {
            "ApiKeySourceType",
            "BinaryMediaTypes",
            "Body",
            "Description",
            "DisableExecuteApiEndpoint",
            "EndpointConfiguration",
            "Mode",
            "Name",
            "Policy",
            "Tags",
        }
    )

    @staticmethod
    def _params(properties: Mapping[str, Any], stack: Stack) -> dict[str, Any]:
        params = lowered(properties, ("Name", "Description", "BinaryMediaTypes"))
        body = properties.get("Body") or {}
        params.setdefault("name", (body.get("info") or {}).get("title") or stack.logical_id)
        if "Policy" in properties:
            params["policy"] = json_text(properties["Policy"])
        if "EndpointConfiguration" in properties:
            params["endpointConfiguration"] = lowered(properties["EndpointConfiguration"], ("Types", "IpAddressType"))
        if "ApiKeySourceType" in properties:
            params["apiKeySource"] = properties["ApiKeySourceType"]
        if "DisableExecuteApiEndpoint" in properties:
            params["disableExecuteApiEndpoint"] = boolean(properties["DisableExecuteApiEndpoint"])
        params["tags"] = {**tags_of(properties), TOKEN: f"{stack.logical_id}-{stack.suffix}"}
        return params

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = self._params(properties, stack)
        found = await self._made_before(aws, params["tags"][TOKEN])
        if found is None:
            found = await aws(SERVICE, "CreateRestApi", params)
        await self._put_body(aws, found["id"], properties)
        return Made(found["id"], {"RootResourceId": found["rootResourceId"], "RestApiId": found["id"]})

    async def _made_before(self, aws: Calls, token: str) -> dict[str, Any] | None:
        position: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 500}
            if position is not None:
                params["position"] = position
            reply = await aws(SERVICE, "GetRestApis", params)
            for each in reply.get("items", ()):
                if (each.get("tags") or {}).get(TOKEN) == token:
                    return dict(each)
            position = reply.get("position")
            if position is None:
                return None

    async def _put_body(self, aws: Calls, api: str, properties: Mapping[str, Any]) -> None:
        if "Body" not in properties:
            return
        params = {"restApiId": api, "mode": properties.get("Mode", "overwrite")}
        await aws(SERVICE, "PutRestApi", {**params, "body": orjson.dumps(properties["Body"])})
        if "Name" in properties:
            patches = [replacing("/name", properties["Name"])]
            await aws(SERVICE, "UpdateRestApi", {"restApiId": api, "patchOperations": patches})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        before, after = self._params(old, stack), self._params(new, stack)
        patches: list[Patch] = []
        for member in ("name", "description", "disableExecuteApiEndpoint", "apiKeySource", "policy"):
            if after.get(member) != before.get(member):
                empty = False if member == "disableExecuteApiEndpoint" else ""
                patches.append(replacing(f"/{member}", after.get(member, empty)))
        old_types, new_types = set(before.get("binaryMediaTypes", ())), set(after.get("binaryMediaTypes", ()))
        patches += [removing(f"/binaryMediaTypes/{escaped(each)}") for each in sorted(old_types - new_types)]
        added = sorted(new_types - old_types)
        patches += [{"op": "add", "path": f"/binaryMediaTypes/{escaped(each)}"} for each in added]
        if patches:
            await aws(SERVICE, "UpdateRestApi", {"restApiId": physical_id, "patchOperations": patches})
        if old.get("Body") != new.get("Body"):
            await self._put_body(aws, physical_id, new)
        await retag(aws, f"arn:aws:apigateway:{stack.region}::/restapis/{physical_id}", old, new)
        found = await aws(SERVICE, "GetRestApi", {"restApiId": physical_id})
        return Made(physical_id, {"RootResourceId": found["rootResourceId"], "RestApiId": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteRestApi", {"restApiId": physical_id})


class ModelType:
    """AWS::ApiGateway::Model."""

    type_name = "AWS::ApiGateway::Model"
    properties = frozenset({"ContentType", "Description", "Name", "RestApiId", "Schema"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = lowered(properties, ("RestApiId", "Name", "Description", "ContentType"))
        params.setdefault("name", "".join(part for part in stack.generated_name() if part.isalnum()))
        params.setdefault("contentType", "application/json")
        if "Schema" in properties:
            params["schema"] = json_text(properties["Schema"])
        try:
            await aws(SERVICE, "CreateModel", params)
        except Fault as fault:
            if fault.code != "ConflictException":
                raise
            await self._change(aws, params["name"], properties)
        return Made(params["name"])

    async def _change(self, aws: Calls, name: str, properties: Mapping[str, Any]) -> None:
        patches = [
            replacing("/schema", json_text(properties.get("Schema", ""))),
            replacing("/description", properties.get("Description", "")),
        ]
        params = {"restApiId": properties["RestApiId"], "modelName": name, "patchOperations": patches}
        await aws(SERVICE, "UpdateModel", params)

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("RestApiId", "Name", "ContentType")):
            return None
        await self._change(aws, physical_id, new)
        return Made(physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteModel", {"restApiId": properties["RestApiId"], "modelName": physical_id})


class RequestValidatorType:
    """AWS::ApiGateway::RequestValidator."""

    type_name = "AWS::ApiGateway::RequestValidator"
    properties = frozenset({"Name", "RestApiId", "ValidateRequestBody", "ValidateRequestParameters"})

    @staticmethod
    def _flags(properties: Mapping[str, Any]) -> dict[str, bool]:
        names = ("ValidateRequestBody", "ValidateRequestParameters")
        return {name[0].lower() + name[1:]: boolean(properties.get(name, False)) for name in names}

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        name = properties.get("Name") or stack.generated_name()
        found = await aws(SERVICE, "GetRequestValidators", {"restApiId": properties["RestApiId"], "limit": 500})
        known = [each for each in found.get("items", ()) if each.get("name") == name]
        if known:
            return Made(known[0]["id"], {"RequestValidatorId": known[0]["id"]})
        params = {"restApiId": properties["RestApiId"], "name": name, **self._flags(properties)}
        made = await aws(SERVICE, "CreateRequestValidator", params)
        return Made(made["id"], {"RequestValidatorId": made["id"]})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("RestApiId", "Name")):
            return None
        patches = [replacing(f"/{member}", value) for member, value in self._flags(new).items()]
        params = {"restApiId": new["RestApiId"], "requestValidatorId": physical_id, "patchOperations": patches}
        await aws(SERVICE, "UpdateRequestValidator", params)
        return Made(physical_id, {"RequestValidatorId": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        params = {"restApiId": properties["RestApiId"], "requestValidatorId": physical_id}
        await or_gone(aws, "DeleteRequestValidator", params)


class GatewayResponseType:
    """AWS::ApiGateway::GatewayResponse."""

    type_name = "AWS::ApiGateway::GatewayResponse"
    properties = frozenset({"ResponseParameters", "ResponseTemplates", "ResponseType", "RestApiId", "StatusCode"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        names = ("RestApiId", "ResponseType", "StatusCode", "ResponseParameters", "ResponseTemplates")
        params = lowered(properties, names)
        if "statusCode" in params:
            params["statusCode"] = str(params["statusCode"])
        await aws(SERVICE, "PutGatewayResponse", params)
        ident = f"{properties['RestApiId']}|{properties['ResponseType']}"
        return Made(ident, {"Id": ident})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("RestApiId", "ResponseType")):
            return None
        return await self.create(aws, new, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        params = {"restApiId": properties["RestApiId"], "responseType": properties["ResponseType"]}
        await or_gone(aws, "DeleteGatewayResponse", params)
