"""AWS::ApiGateway::* for CloudFormation, as wire calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html
"""

from __future__ import annotations

from typing import Final

from outlast.cloud.contract import ResourceType
from outlast.cloud.services.apigateway.resources.apis import (
    GatewayResponseType,
    ModelType,
    RequestValidatorType,
    RestApiType,
)
from outlast.cloud.services.apigateway.resources.domains import AccountType, BasePathMappingType, DomainNameType
from outlast.cloud.services.apigateway.resources.paths import MethodType, PathType
from outlast.cloud.services.apigateway.resources.stages import DeploymentType, StageType

RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (
    RestApiType(),
    PathType(),
    MethodType(),
    ModelType(),
    RequestValidatorType(),
    GatewayResponseType(),
    DeploymentType(),
    StageType(),
    DomainNameType(),
    BasePathMappingType(),
    AccountType(),
)
