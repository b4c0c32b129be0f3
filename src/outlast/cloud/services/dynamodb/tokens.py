"""Client tokens: a transaction whose token came before, with the same content, is answered without being done again.

A token counts for ten minutes and is kept in the transaction that it names.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from outlast.cloud.contract import Call
from outlast.cloud.engine import Transaction
from outlast.cloud.services.dynamodb.capacity import Consumed
from outlast.cloud.services.dynamodb.errors import IdempotentParameterMismatchException
from outlast.cloud.services.dynamodb.state import DynamoDB

TOKEN_MS = 10 * 60 * 1000
DIGEST_BYTES = 16
PURGE = 500


def digest_of(content: Any) -> bytes:
    """What tells one request's content from another's; the same for all that is nested too deep to be ever kept."""
    try:
        written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return bytes(DIGEST_BYTES)
    return hashlib.blake2b(written, digest_size=DIGEST_BYTES).digest()


def replayed(call: Call[DynamoDB], token: str, digest: bytes, detail: str | None) -> dict[str, Any] | None:
    """The reply of a transaction that was done before, or None; raises IdempotentParameterMismatchException."""
    stored = call.state.tokens.get(token.encode())
    if stored is None:
        return None
    kept = orjson.loads(stored[DIGEST_BYTES:])
    if kept["UntilMs"] <= call.now_ms:
        return None
    if stored[:DIGEST_BYTES] != digest:
        raise IdempotentParameterMismatchException(
            "Request rejected because it reused a client token with different parameters"
        )
    reply: dict[str, Any] = {}
    shown = [
        Consumed(name, units, reads=True, transactional=True).shown(detail) for name, units in kept["Reads"].items()
    ]
    if detail not in (None, "NONE"):
        reply["ConsumedCapacity"] = shown
    return reply


def keep(call: Call[DynamoDB], tx: Transaction, token: str, digest: bytes, reads: dict[str, float]) -> None:
    """Remember a token in its transaction, with the read units that a replay of it costs."""
    kept = orjson.dumps({"UntilMs": call.now_ms + TOKEN_MS, "Reads": reads})
    tx.put(call.state.tokens, token.encode(), digest + kept)


def purge(state: DynamoDB, now_ms: int) -> int:
    """Forget tokens whose time is over, some at a time; returns how many went."""
    gone = []
    for key, stored in state.tokens.range():
        if orjson.loads(stored[DIGEST_BYTES:])["UntilMs"] <= now_ms:
            gone.append(key)
            if len(gone) == PURGE:
                break
    if gone:
        with state.engine.begin() as tx:
            for key in gone:
                tx.delete(state.tokens, key)
    return len(gone)
