"""Every service of the cloud, named one by one: nothing is discovered."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from outlast.cloud.contract import ResourceType, Service, registry

MODULES: Final = (
    ("outlast.cloud.services.iam", ("iam",)),
    ("outlast.cloud.services.sts", ("sts",)),
    ("outlast.cloud.services.dynamodb", ("dynamodb", "dynamodbstreams")),
    ("outlast.cloud.services.dynamodb.ledger", ("world",)),
    ("outlast.cloud.services.s3", ("s3",)),
    ("outlast.cloud.services.logs", ("logs",)),
    ("outlast.cloud.services.cloudwatch", ("cloudwatch",)),
    ("outlast.cloud.services.lambda_", ("lambda_",)),
    ("outlast.cloud.services.apigateway", ("apigateway",)),
    ("outlast.cloud.services.acm", ("acm",)),
    ("outlast.cloud.services.route53", ("route53",)),
    ("outlast.cloud.services.arc_control_config", ("arc_control_config",)),
    ("outlast.cloud.services.arc_cluster", ("arc_cluster",)),
    ("outlast.cloud.services.arc_readiness", ("arc_readiness",)),
    ("outlast.cloud.services.synthetics", ("synthetics",)),
    ("outlast.cloud.services.health", ("health",)),
    ("outlast.cloud.services.fis", ("fis",)),
    ("outlast.cloud.services.cloudtrail", ("cloudtrail",)),
    ("outlast.cloud.services.cloudformation", ("cloudformation",)),
)


def services() -> list[Service[Any]]:
    """The services, in the order in which a Region opens them (a service that shares state follows its owner)."""
    found: list[Service[Any]] = []
    for module_name, names in MODULES:
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            continue
        for name in names:
            service = getattr(module, name, None)
            if service is None:
                continue
            assert isinstance(service, Service)
            found.append(service)
    return found


def resource_types(of: list[Service[Any]]) -> dict[str, ResourceType]:
    """The CloudFormation types of all services."""
    return registry([each for service in of for each in service.resource_types])
