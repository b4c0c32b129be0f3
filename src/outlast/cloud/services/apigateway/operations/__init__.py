"""The operations of API Gateway, one function each."""

from __future__ import annotations

from outlast.cloud.services.apigateway.operations import (
    account,
    apis,
    deployments,
    domains,
    integrations,
    methods,
    models,
    resources,
    responses,
    stages,
    tags,
)

__all__ = [
    "account",
    "apis",
    "deployments",
    "domains",
    "integrations",
    "methods",
    "models",
    "resources",
    "responses",
    "stages",
    "tags",
]
