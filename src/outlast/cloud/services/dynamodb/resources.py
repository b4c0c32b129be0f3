"""CloudFormation: AWS::DynamoDB::Table and AWS::DynamoDB::GlobalTable, as wire calls."""

from __future__ import annotations

from outlast.cloud.contract.resources import ResourceType

RESOURCE_TYPES: tuple[ResourceType, ...] = ()
