"""The doctor asks Service Quotas where there is such a service, and says where there is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from outlast.ops.doctor.examine import examine
from outlast.ops.doctor.gather import QUOTAS, Gatherer
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops_kit.doctored import B, ready, told
from tests.unit.ops_kit.stubs import StubClients


def quota(service: str, code: str, value: float) -> dict[str, Any]:
    """A quota as Service Quotas tells it."""
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": f"Name of {code}", "Value": value}


def test_a_quota_that_was_raised_in_one_region_alone_is_found() -> None:
    ready_facts = ready()
    first, second = ready_facts.regions
    alike = quota("dynamodb", "L-1", 10.0)
    regions = (
        replace(first, quotas=(alike, quota("lambda", "L-2", 300.0), quota("lambda", "L-B99A9384", 1.0))),
        replace(second, quotas=(alike, quota("lambda", "L-2", 75.0), quota("lambda", "L-B99A9384", 2.0))),
    )
    (found,) = told(examine(replace(ready_facts, regions=regions)), "quotas")
    assert (found.severity, found.region, found.resource) == ("warning", B, "lambda/L-2")
    assert found.what == "the quota Name of L-2 (lambda/L-2) differs: us-east-1: 300; us-west-2: 75"


def test_service_quotas_are_asked_on_aws_page_by_page_and_named_as_not_asked_elsewhere() -> None:
    clients = StubClients("aws")
    stub = clients.stub("service-quotas", B)
    for service in QUOTAS:
        pages = [
            {"Quotas": [quota(service, "L-1", 1.0)], "NextToken": "more"},
            {"Quotas": [quota(service, "L-2", 2.0)]},
        ]
        for page, more in zip(pages, ({}, {"NextToken": "more"}), strict=True):
            stub.add_response("list_service_quotas", page, {"ServiceCode": service, **more})
    found = Gatherer(clients, sample_deployment())._quotas(B)
    assert found is not None
    assert len(found) == 2 * len(QUOTAS)
    clients.used()
    stub.add_client_error("list_service_quotas", "AccessDeniedException")
    blind = Gatherer(clients, sample_deployment())
    assert blind._quotas(B) is None
    assert [(each.region, each.what, each.why) for each in blind.unseen] == [
        (B, "Service Quotas", "AccessDeniedException")
    ]
