"""When a signature holds: five minutes about the server's clock, or as long as a presigned URL says."""

from __future__ import annotations

from outlast.cloud.identity.dates import basic, seconds_of
from outlast.cloud.identity.faults import EXPIRED_REQUEST, SignatureFault, invalid
from outlast.cloud.identity.presented import Presented


def check_time(presented: Presented, now_s: float, skew_s: int) -> None:
    """Raise unless the request's date is its scope's, and near `now_s` (seconds) or within a presigned URL's life."""
    scope_date = presented.scope.date
    if presented.amz_date[:8] != scope_date:
        raise invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope_date}' != '{presented.amz_date[:8]}', from '{presented.amz_date}'."
        )
    check_life(presented, now_s, skew_s)


def check_life(presented: Presented, now_s: float, skew_s: int) -> None:
    """Raise unless the request's date is near `now_s` (seconds), or within the life of a presigned URL."""
    signed_s = seconds_of(presented.amz_date)
    life_s = skew_s if presented.expires_s is None else presented.expires_s
    if signed_s + life_s < now_s:
        if presented.scope.s3 and presented.kind == "presigned":
            raise SignatureFault("AccessDenied", EXPIRED_REQUEST, 403)
        raise invalid(
            f"Signature expired: {presented.amz_date} is now earlier than {basic(now_s - life_s)} "
            f"({basic(now_s)} - {life_s // 60} min.)"
        )
    if signed_s - skew_s > now_s:
        raise invalid(
            f"Signature not yet current: {presented.amz_date} is still later than {basic(now_s + skew_s)} "
            f"({basic(now_s)} + {skew_s // 60} min.)"
        )
