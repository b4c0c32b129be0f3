"""Cross-account authorizations: there is one account, so none can be given and the list is empty.

https://docs.aws.amazon.com/recovery-readiness/latest/api/crossaccountauthorizations.html
"""

from __future__ import annotations

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.errors import ResourceNotFoundException, ValidationException
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.service import arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness


@arc_readiness.operation()
def create_cross_account_authorization(call: Call[Readiness], *, cross_account_authorization: str) -> Reply:
    """Refused."""
    raise ValidationException("CreateCrossAccountAuthorization is not supported by this cloud: it has one account.")


@arc_readiness.operation()
def delete_cross_account_authorization(call: Call[Readiness], *, cross_account_authorization: str) -> Reply:
    """There is none to delete."""
    raise ResourceNotFoundException(f"There is no authorization for {cross_account_authorization}.")


@arc_readiness.operation()
def list_cross_account_authorizations(
    call: Call[Readiness], *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """None."""
    return page("CrossAccountAuthorizations", [], next_token, max_results)
