"""IAM: users, roles, policies, access keys, and the judgement of every request."""

from __future__ import annotations

from outlast.cloud.services.iam import operations
from outlast.cloud.services.iam.service import iam

__all__ = ["iam", "operations"]
