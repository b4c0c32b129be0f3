"""A canary that asks the service whether it can serve: signed GET /health through TARGET_URL.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries_WritingCanary_Python.html
"""

from __future__ import annotations

from typing import Any

from signed import CheckFailed, Service, service_from_environment


def check(service: Service) -> str:
    """The Region that said it is well. Raises CheckFailed otherwise."""
    answer = service.request("GET", "/health")
    if answer.status != 200 or answer.body.get("status") != "ok":
        raise CheckFailed(f"GET /health answered {answer.status}: {answer.body.get('code', '')}")
    return str(answer.body.get("region"))


def handler(event: dict[str, Any], context: object) -> str:
    """Entry point of the canary."""
    return check(service_from_environment())
