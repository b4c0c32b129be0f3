"""Between a handler and the wire: events in, results and errors out, as the Python runtime of AWS writes them.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html and python-exceptions.html on the same site.
"""

from __future__ import annotations

import decimal
import json
import re
import secrets
import traceback
from types import TracebackType
from typing import Any, Final

MAX_ERROR_BYTES: Final = 200_000
MAX_RESPONSE_BYTES: Final = 6_291_556
TASK_ROOT: Final = "/var/task"


class RuntimeFault(Exception):
    """What the runtime itself reports in place of an exception of the handler."""

    def __init__(self, error_type: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace or []


class _Encoder(json.JSONEncoder):
    """Decimals leave as the numbers they are, digit for digit."""

    def __init__(self) -> None:
        super().__init__(ensure_ascii=False, check_circular=True)
        self._mark = f"\ue000{secrets.token_hex(8)}\ue000"
        self._marked = re.compile(f'"{self._mark}([^"]*)"')
        self._met = False

    def default(self, o: Any) -> Any:
        if isinstance(o, decimal.Decimal):
            self._met = True
            return f"{self._mark}{'NaN' if o.is_nan() else o}"
        return super().default(o)

    def text(self, value: Any) -> str:
        """The JSON text of a value; raises TypeError or ValueError."""
        self._met = False
        text = self.encode(value)
        return self._marked.sub(r"\1", text) if self._met else text


_encoder = _Encoder()


def event_of(body: bytes) -> Any:
    """The handler's first argument; raises RuntimeFault."""
    try:
        return json.loads(body) if body else {}
    except ValueError as error:
        raise RuntimeFault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def reply_of(result: Any) -> bytes:
    """The bytes of what a handler returned: its JSON, or itself when it is bytes; raises RuntimeFault."""
    if isinstance(result, bytes):
        return _checked(result)
    try:
        return _checked(_encoder.text(result).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _checked(body: bytes) -> bytes:
    if len(body) > MAX_RESPONSE_BYTES:
        raise RuntimeFault(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
        )
    return body


def trace_of(trace: TracebackType | None, task_folder: str, skip: int = 0) -> list[str]:
    """A stack trace, one text a frame, with the code's folder under the name it has on AWS."""
    frames = traceback.extract_tb(trace)[skip:]
    return [line.replace(task_folder, TASK_ROOT) for line in traceback.format_list(frames)]


def fault_of(error: BaseException, task_folder: str, skip: int = 1) -> RuntimeFault:
    """What an exception of the handler is reported as."""
    if isinstance(error, RuntimeFault):
        return error
    return RuntimeFault(type(error).__name__, str(error), trace_of(error.__traceback__, task_folder, skip))


def error_body(fault: RuntimeFault, request_id: str) -> bytes:
    """The payload of a failed invocation."""
    document = {
        "errorMessage": fault.message,
        "errorType": fault.error_type,
        "requestId": request_id,
        "stackTrace": fault.trace,
    }
    body = json.dumps(document).encode()
    if len(body) > MAX_ERROR_BYTES:
        document.update(errorMessage=fault.message[: MAX_ERROR_BYTES // 8], stackTrace=[])
        body = json.dumps(document).encode()
    return body


def error_log(fault: RuntimeFault) -> str:
    """The log event of a failed invocation."""
    head = f"[ERROR] {fault.error_type}: {fault.message}" if fault.message else f"[ERROR] {fault.error_type}"
    return f"{head}\nTraceback (most recent call last):\n{''.join(fault.trace)}".rstrip("\n")
