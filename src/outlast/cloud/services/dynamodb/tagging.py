"""Tags and their limits.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import category

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.names import constraint

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
MARKS = frozenset("_.:/=+-@")
"""Besides letters, numbers and spaces."""


def check_tags(present: Mapping[str, str], added: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags after adding some; raises ValidationException when a limit is passed."""
    tags = dict(present)
    seen = set()
    for place, tag in enumerate(added, 1):
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= MAX_KEY:
            rule = "greater than or equal to 1" if not key else f"less than or equal to {MAX_KEY}"
            raise constraint(key, f"tags.{place}.member.key", f"Member must have length {rule}")
        if len(value) > MAX_VALUE:
            rule = f"less than or equal to {MAX_VALUE}"
            raise constraint(value, f"tags.{place}.member.value", f"Member must have length {rule}")
        for part, text in (("key", key), ("value", value)):
            if not all(each in MARKS or category(each)[0] in "LZN" for each in text):
                rule = "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$"
                raise constraint(text, f"tags.{place}.member.{part}", rule)
        if key in seen:
            raise ValidationException(f"One or more parameter values were invalid: Duplicate tag key: {key}")
        if key.lower().startswith("aws:"):
            raise invalid("System tags cannot be added/updated by requester")
        seen.add(key)
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise ValidationException(
            "One or more parameter values were invalid: Too many tags: "
            f"The number of tags exceeds the limit of {MAX_TAGS}"
        )
    return tags
