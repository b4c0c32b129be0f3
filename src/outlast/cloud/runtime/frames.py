"""The messages between a Region, its template and its workers.

A frame is a kind (one byte), a head of plain text and a body of plain bytes. Streams carry frames back to back.
The heads of the two frames of every invocation are lines of text, the others JSON: a worker is not trusted, so nothing
richer than text is ever read from it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final

HEAD: Final = struct.Struct(">cII")
MAX_HEAD_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 8 << 20
"""More than the largest event or answer of Lambda, 6 MB."""

READY: Final = b"R"
"""Template to Region: imports are done."""
FORK: Final = b"F"
"""Region to template: start a worker; two file descriptors travel along (channel, log)."""
KILL: Final = b"K"
"""Region to template: end a worker and everything it started."""
EXITED: Final = b"X"
"""Template to Region: a worker has ended."""
STARTED: Final = b"S"
"""Worker to Region: the handler is loaded, or could not be."""
INVOKE: Final = b"I"
"""Region to worker: run the handler on the body."""
REPLY: Final = b"A"
"""Worker to Region: what the handler returned or raised."""


class FrameError(Exception):
    """The peer sent what is not a frame, or one over the limits."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: bytes
    head: bytes
    body: bytes = b""

    @property
    def meta(self) -> dict[str, Any]:
        """The head as the JSON object it is; raises FrameError."""
        try:
            meta = json.loads(self.head)
        except ValueError as error:
            raise FrameError("a head that is no JSON") from error
        if not isinstance(meta, dict):
            raise FrameError("a head that is no object")
        return meta


def pack(kind: bytes, meta: dict[str, Any], body: bytes = b"") -> bytes:
    """The bytes of one frame with a JSON head."""
    return pack_text(kind, json.dumps(meta), body)


def pack_text(kind: bytes, head: str, body: bytes = b"") -> bytes:
    """The bytes of one frame with a head of text."""
    text = head.encode()
    return HEAD.pack(kind, len(text), len(body)) + text + body


@dataclass(frozen=True, slots=True)
class Invocation:
    """What travels with an event. `client_context` is JSON text, or empty."""

    request_id: str
    arn: str
    timeout_s: float
    trace_id: str = ""
    client_context: str = ""

    def pack(self, event: bytes) -> bytes:
        """The INVOKE frame."""
        timeout_ms = round(self.timeout_s * 1000)
        head = f"{self.request_id}\n{self.arn}\n{timeout_ms}\n{self.trace_id}\n{self.client_context}"
        return pack_text(INVOKE, head, event)

    @classmethod
    def read(cls, head: bytes) -> Invocation:
        """From an INVOKE frame's head."""
        request_id, arn, timeout_ms, trace_id, client_context = head.decode().split("\n", 4)
        return cls(request_id, arn, int(timeout_ms) / 1000, trace_id, client_context)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker says of an invocation beside its payload."""

    failed: bool
    ms: float
    memory_mb: int

    def pack(self, payload: bytes) -> bytes:
        """The REPLY frame."""
        return pack_text(REPLY, f"{self.failed:d} {self.ms:.3f} {self.memory_mb}", payload)

    @classmethod
    def read(cls, head: bytes) -> Reply:
        """From a REPLY frame's head; raises FrameError."""
        try:
            failed, ms, memory_mb = head.split(b" ")
            return cls(failed == b"1", float(ms), int(memory_mb))
        except ValueError as error:
            raise FrameError("not a reply's head") from error


class Unpacker:
    """Bytes in, whole frames out."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes; raises FrameError when a length is over the limits."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        at = 0
        while len(buffer) - at >= HEAD.size:
            kind, n_head, n_body = HEAD.unpack_from(buffer, at)
            if n_head > MAX_HEAD_BYTES or n_body > MAX_BODY_BYTES:
                raise FrameError(f"a frame of {n_head} + {n_body} bytes is over the limit")
            middle = at + HEAD.size + n_head
            end = middle + n_body
            if len(buffer) < end:
                break
            frames.append(Frame(kind, bytes(buffer[at + HEAD.size : middle]), bytes(buffer[middle:end])))
            at = end
        if at:
            del buffer[:at]
        return frames
