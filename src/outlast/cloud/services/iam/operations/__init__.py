"""IAM's operations; importing the modules declares them."""

from __future__ import annotations

from outlast.cloud.services.iam.operations import keys, policies, roles, simulate, users

__all__ = ["keys", "policies", "roles", "simulate", "users"]
