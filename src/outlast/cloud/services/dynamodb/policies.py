"""Resource policies of tables and streams."""

from __future__ import annotations

from typing import Any

import orjson

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.identity.statements import MalformedPolicy, compile_statements
from outlast.cloud.services.dynamodb.state import DynamoDB

MAX_BYTES = 20 * 1024


def policy_entry(call: Call[DynamoDB], text: str) -> dict[str, Any]:
    """What a table's document keeps of a policy; raises ValidationException for what is no policy."""
    if len(text.encode()) > MAX_BYTES:
        raise ValidationException("Policy size exceeds the limit of 20 KB")
    try:
        compile_statements(text, "resource")
    except MalformedPolicy as bad:
        raise ValidationException(f"Invalid policy document: {bad.message}") from None
    document = orjson.loads(text)
    return {"Text": text, "Document": document, "RevisionId": str(call.now_ms)}
