"""The timestamp formats of the AWS protocols, as epoch seconds on our side.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html and the sister pages name each form's default.
"""

from __future__ import annotations

import math
import re
from calendar import timegm
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from typing import Literal

Format = Literal["unixTimestamp", "iso8601", "rfc822"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)


def as_format(name: object, default: Format) -> Format:
    """The format a model names, or the default of the place where the value stands."""
    return name if name in ("unixTimestamp", "iso8601", "rfc822") else default


def parse(text: str) -> float:
    """Epoch seconds of a timestamp in any of the three formats; raises ValueError."""
    match = _ISO.fullmatch(text.strip())
    if match is not None:
        return _parse_iso(match)
    try:
        seconds = float(text)
    except ValueError:
        return parsedate_to_datetime(text).timestamp()
    if not math.isfinite(seconds):
        raise ValueError(f"no time: {text}")
    return seconds


def _parse_iso(match: re.Match[str]) -> float:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    seconds: float = timegm(moment.timetuple())
    if zone not in (None, "Z", "z"):
        sign = -1 if zone[0] == "-" else 1
        seconds -= sign * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    if fraction is not None:
        seconds += int(fraction) / 10 ** len(fraction)
    return seconds


def iso8601(seconds: float) -> str:
    """UTC with a Z; milliseconds are shown when there are any."""
    total_ms = round(seconds * 1000)
    moment = _EPOCH + timedelta(milliseconds=total_ms)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.year < 1000:
        text = text.rjust(19, "0")
    fraction = total_ms % 1000
    return f"{text}.{fraction:03d}Z" if fraction else f"{text}Z"


def rfc822(seconds: float) -> str:
    """The date form of HTTP headers, whole seconds."""
    return formatdate(int(seconds // 1), usegmt=True)


def unix(seconds: float) -> int | float:
    """A JSON number: whole when the time is whole."""
    whole = int(seconds)
    return whole if whole == seconds else seconds


def text(seconds: float, form: Format) -> str:
    """The timestamp as text in the format given."""
    if form == "iso8601":
        return iso8601(seconds)
    if form == "rfc822":
        return rfc822(seconds)
    return str(unix(seconds))
