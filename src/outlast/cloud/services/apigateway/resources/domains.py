"""AWS::ApiGateway::DomainName, BasePathMapping, Account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Calls, Fault, Made, Stack
from outlast.cloud.services.apigateway.resources.common import (
    SERVICE,
    lowered,
    or_gone,
    removing,
    replacing,
    retag,
    tags_of,
)


class DomainNameType:
    """AWS::ApiGateway::DomainName."""

    type_name = "AWS::ApiGateway::DomainName"
    properties = frozenset({"DomainName", "EndpointConfiguration", "RegionalCertificateArn", "SecurityPolicy", "Tags"})

    @staticmethod
    def _made(found: Mapping[str, Any]) -> Made:
        return Made(
            found["domainName"],
            {
                "RegionalDomainName": found["regionalDomainName"],
                "RegionalHostedZoneId": found["regionalHostedZoneId"],
                "DomainNameArn": found["domainNameArn"],
            },
        )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = lowered(properties, ("DomainName", "RegionalCertificateArn", "SecurityPolicy"))
        if "EndpointConfiguration" in properties:
            params["endpointConfiguration"] = lowered(properties["EndpointConfiguration"], ("Types", "IpAddressType"))
        params["tags"] = tags_of(properties)
        try:
            return self._made(await aws(SERVICE, "CreateDomainName", params))
        except Fault as fault:
            if fault.code != "ConflictException":
                raise
        found = await aws(SERVICE, "GetDomainName", {"domainName": params["domainName"]})
        if found.get("regionalCertificateArn") != params.get("regionalCertificateArn"):
            raise Taken(f"The domain name {params['domainName']} exists already.")
        return self._made(found)

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("DomainName", "EndpointConfiguration")):
            return None
        patches = [
            replacing(f"/{name[0].lower()}{name[1:]}", new[name])
            for name in ("RegionalCertificateArn", "SecurityPolicy")
            if name in new and new[name] != old.get(name)
        ]
        params = {"domainName": physical_id, "patchOperations": patches}
        found = await aws(SERVICE, "UpdateDomainName", params)
        await retag(aws, found["domainNameArn"], old, new)
        return self._made(found)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteDomainName", {"domainName": physical_id})


class Taken(Fault, code="ConflictException"):
    """Another stack or user has what this one would make."""


class BasePathMappingType:
    """AWS::ApiGateway::BasePathMapping; its physical id is `DOMAIN|BASEPATH`."""

    type_name = "AWS::ApiGateway::BasePathMapping"
    properties = frozenset({"BasePath", "DomainName", "RestApiId", "Stage"})

    @staticmethod
    def _key(properties: Mapping[str, Any]) -> dict[str, str]:
        return {"domainName": properties["DomainName"], "basePath": properties.get("BasePath") or "(none)"}

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = lowered(properties, ("DomainName", "BasePath", "RestApiId", "Stage"))
        try:
            await aws(SERVICE, "CreateBasePathMapping", params)
        except Fault as fault:
            if fault.code != "ConflictException":
                raise
            found = await aws(SERVICE, "GetBasePathMapping", self._key(properties))
            if (found["restApiId"], found.get("stage")) != (params["restApiId"], params.get("stage")):
                raise
        return Made("|".join(self._key(properties).values()))

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if self._key(old) != self._key(new):
            return None
        patches = [replacing("/restapiId", new["RestApiId"])]
        patches.append(replacing("/stage", new["Stage"]) if new.get("Stage") else removing("/stage"))
        await aws(SERVICE, "UpdateBasePathMapping", {**self._key(new), "patchOperations": patches})
        return Made(physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteBasePathMapping", self._key(properties))


class AccountType:
    """AWS::ApiGateway::Account. Deleting it leaves the account's settings, as CloudFormation does."""

    type_name = "AWS::ApiGateway::Account"
    properties = frozenset({"CloudWatchRoleArn"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        role = properties.get("CloudWatchRoleArn", "")
        await aws(SERVICE, "UpdateAccount", {"patchOperations": [replacing("/cloudwatchRoleArn", role)]})
        name = stack.generated_name()
        return Made(name, {"Id": name})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        await self.create(aws, new, stack)
        return Made(physical_id, {"Id": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        return None
