"""HTTPS as a customer's client speaks it: one connection, kept for the next request, to an address of its choosing.

The certificate is checked against the name, whatever the address: this is what lets a client hold on to an old DNS
answer. HTTP/1.1 with lengths and chunks; no redirects, no compression.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlast.ops.outcome import OpsError

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 16 * 1024 * 1024


class Unreachable(Exception):
    """No connection, or it broke before the answer was complete. `sent` says whether the request may have arrived."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def tls_context(ca_path: str | None) -> ssl.SSLContext:
    """A client context that trusts `ca_path`, or the machine's authorities. Raises OpsError for a file of no use."""
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except OSError as error:
        raise OpsError(f"The authorities' file {ca_path} cannot be used: {error.strerror or error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@dataclass(slots=True)
class Connection:
    """One connection to `address`, opened when first used; it serves one request at a time."""

    address: str
    port: int
    name: str
    tls: ssl.SSLContext | None
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    @property
    def open(self) -> bool:
        """Whether the next request would go out on a connection that is there."""
        return self._streams is not None and not self._streams[1].is_closing() and not self._streams[0].at_eof()

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Answer:
        """Send, and read the whole answer. Raises Unreachable, or TimeoutError after `timeout_s`; both end it."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, target, headers, body)
        except TimeoutError:
            self.close()
            raise
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            sent = self._streams is not None
            self.close()
            raise Unreachable(type(error).__name__, sent=sent) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if not self.open:
            self.close()
            self._streams = await asyncio.open_connection(
                self.address,
                self.port,
                ssl=self.tls,
                server_hostname=self.name if self.tls else None,
                limit=MAX_HEAD_BYTES,
            )
        assert self._streams is not None
        reader, writer = self._streams
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines.append(f"content-length: {len(body)}")
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await _read(reader, method)
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer


async def _read(reader: asyncio.StreamReader, method: str) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    version, status, *_ = first.split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ValueError("not an HTTP/1 answer")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    if method == "HEAD" or int(status) in (204, 304):
        body = b""
    elif "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        length = int(headers["content-length"])
        if not 0 <= length <= MAX_BODY_BYTES:
            raise ValueError("the answer is too long")
        body = await reader.readexactly(length)
    else:
        body = await reader.read(MAX_BODY_BYTES)
        headers["connection"] = "close"
    return Answer(int(status), headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        length = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        size += length
        if length < 0 or size > MAX_BODY_BYTES:
            raise ValueError("the answer is too long")
        part = await reader.readexactly(length + 2)
        if length == 0:
            return b"".join(parts)
        parts.append(part[:-2])
