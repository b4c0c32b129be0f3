"""The dates of signatures: ISO 8601 basic form, such as 20260131T235959Z."""

from __future__ import annotations

import calendar
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import gmtime, strftime, strptime

from outlast.cloud.identity.faults import incomplete


@lru_cache(maxsize=1024)
def seconds_of(amz_date: str) -> int:
    """Epoch seconds of an ISO 8601 basic date such as 20260131T235959Z."""
    try:
        if len(amz_date) != 16 or not amz_date.isascii():
            raise ValueError(amz_date)
        return calendar.timegm(strptime(amz_date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{amz_date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def basic(seconds: float) -> str:
    """ISO 8601 basic text of epoch seconds."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(seconds))


def from_http_date(text: str) -> str:
    """The basic form of a Date header, which may already have it."""
    if len(text) == 16 and text.endswith("Z") and text[8] == "T":
        return text
    try:
        return basic(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError):
        return text
