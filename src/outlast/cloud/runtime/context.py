"""The second argument of a handler.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import json
import time
from typing import Any

from outlast.cloud.runtime.frames import Invocation


class Section:
    """An object whose attributes are a mapping's entries; what is absent reads None."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> None:
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__!r})"


class CognitoIdentity(Section):
    """`context.identity`."""

    cognito_identity_id: str | None
    cognito_identity_pool_id: str | None


class ClientContext(Section):
    """`context.client_context`, as a mobile SDK sends it."""

    def __init__(self, entries: dict[str, Any]) -> None:
        super().__init__({"custom": entries.get("custom"), "env": entries.get("env")})
        self.client = Section(entries["client"]) if entries.get("client") else None

    @classmethod
    def read(cls, text: str) -> ClientContext | None:
        """From its JSON text; None when there is none."""
        entries = json.loads(text) if text else None
        return cls(entries) if isinstance(entries, dict) else None


class LambdaContext:
    """What a handler may know of its invocation and its environment."""

    def __init__(self, variables: dict[str, str], invocation: Invocation) -> None:
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.arn
        self.function_name = variables.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = variables.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.log_group_name = variables.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = variables.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.client_context = ClientContext.read(invocation.client_context)
        self.identity = CognitoIdentity({})
        self.tenant_id = None
        self._deadline = time.monotonic() + invocation.timeout_s
        self._epoch_deadline_time_in_ms = round((time.time() + invocation.timeout_s) * 1000)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended; never below 0."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        """Write a message to the function's log."""
        print(message)

    def __repr__(self) -> str:
        shown = ("aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb")
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in shown)}])"
