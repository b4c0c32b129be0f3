"""Amazon API Gateway: REST APIs and the requests for them."""

from __future__ import annotations

from outlast.cloud.services.apigateway import operations
from outlast.cloud.services.apigateway.service import apigateway

__all__ = ["apigateway", "operations"]
