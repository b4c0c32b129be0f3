"""The operations of CloudFormation, one function each."""

from __future__ import annotations

from outlast.cloud.services.cloudformation.operations import (
    changesets,
    describe,
    resources,
    stacks,
    templates,
)

__all__ = ["changesets", "describe", "resources", "stacks", "templates"]
