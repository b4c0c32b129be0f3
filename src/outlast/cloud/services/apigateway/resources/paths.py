"""AWS::ApiGateway::Resource and Method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, Stack, ValidationException
from outlast.cloud.services.apigateway.resources.common import SERVICE, boolean, lowered, or_gone

INTEGRATION: Final = frozenset(
    {
        "IntegrationHttpMethod",
        "IntegrationResponses",
        "PassthroughBehavior",
        "RequestTemplates",
        "TimeoutInMillis",
        "Type",
        "Uri",
        "ConnectionType",
    }
)
METHOD: Final = (
    "AuthorizationType",
    "OperationName",
    "RequestModels",
    "RequestValidatorId",
)


class PathType:
    """AWS::ApiGateway::Resource."""

    type_name = "AWS::ApiGateway::Resource"
    properties = frozenset({"ParentId", "PathPart", "RestApiId"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        try:
            made = await aws(SERVICE, "CreateResource", lowered(properties, ("RestApiId", "ParentId", "PathPart")))
        except Fault as fault:
            if fault.code != "ConflictException":
                raise
            made = await self._find(aws, properties)
        return Made(made["id"], {"ResourceId": made["id"]})

    async def _find(self, aws: Calls, properties: Mapping[str, Any]) -> dict[str, Any]:
        reply = await aws(SERVICE, "GetResources", {"restApiId": properties["RestApiId"], "limit": 500})
        place = (properties["ParentId"], properties["PathPart"])
        return next(dict(each) for each in reply["items"] if (each.get("parentId"), each.get("pathPart")) == place)

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteResource", {"restApiId": properties["RestApiId"], "resourceId": physical_id})


class MethodType:
    """AWS::ApiGateway::Method with its responses and its integration; changed by being put anew.

    What is served does not change before the next deployment, so nobody sees the moment in between.
    """

    type_name = "AWS::ApiGateway::Method"
    properties = frozenset(
        {
            *METHOD,
            "ApiKeyRequired",
            "HttpMethod",
            "Integration",
            "MethodResponses",
            "RequestParameters",
            "ResourceId",
            "RestApiId",
        }
    )

    @staticmethod
    def _place(properties: Mapping[str, Any]) -> dict[str, Any]:
        return lowered(properties, ("RestApiId", "ResourceId", "HttpMethod"))

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        place = self._place(properties)
        params = {**place, **lowered(properties, METHOD)}
        params.setdefault("authorizationType", "NONE")
        if boolean(properties.get("ApiKeyRequired", False)):
            params["apiKeyRequired"] = True
        parameters = properties.get("RequestParameters")
        if parameters:
            params["requestParameters"] = {name: boolean(needed) for name, needed in parameters.items()}
        await or_gone(aws, "DeleteMethod", place)
        await aws(SERVICE, "PutMethod", params)
        for response in properties.get("MethodResponses") or ():
            given = lowered(response, ("StatusCode", "ResponseModels"))
            headers = response.get("ResponseParameters")
            if headers:
                given["responseParameters"] = {name: boolean(needed) for name, needed in headers.items()}
            given["statusCode"] = str(given["statusCode"])
            await aws(SERVICE, "PutMethodResponse", {**place, **given})
        if properties.get("Integration"):
            await self._integrate(aws, place, properties["Integration"])
        return Made("|".join(str(value) for value in place.values()))

    async def _integrate(self, aws: Calls, place: Mapping[str, Any], integration: Mapping[str, Any]) -> None:
        extra = sorted(integration.keys() - INTEGRATION)
        if extra:
            raise ValidationException(f"Integration.{extra[0]} is not supported by this cloud.")
        params = lowered(integration, INTEGRATION - {"IntegrationResponses"})
        if "timeoutInMillis" in params:
            params["timeoutInMillis"] = int(params["timeoutInMillis"])
        await aws(SERVICE, "PutIntegration", {**place, **params})
        for response in integration.get("IntegrationResponses") or ():
            names = ("StatusCode", "SelectionPattern", "ResponseParameters", "ResponseTemplates", "ContentHandling")
            given = lowered(response, names)
            given["statusCode"] = str(given["statusCode"])
            await aws(SERVICE, "PutIntegrationResponse", {**place, **given})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if self._place(old) != self._place(new):
            return None
        return await self.create(aws, new, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteMethod", self._place(properties))
