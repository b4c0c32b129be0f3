"""CloudFormation: stacks made by wire calls, durable through a crash of their Region."""

from __future__ import annotations

from outlast.cloud.services.cloudformation import operations
from outlast.cloud.services.cloudformation.service import cloudformation

__all__ = ["cloudformation", "operations"]
