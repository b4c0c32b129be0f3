"""Small servers on loopback for the tests: DNS answers and HTTP answers made by a function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import dns.rrset

HttpHandler = Callable[[str, str, dict[str, str], bytes], Awaitable[bytes]]
DnsHandler = Callable[[str, str], list[tuple[str, int, str, str]] | int | None]


class _Dns(asyncio.DatagramProtocol):
    def __init__(self, handler: DnsHandler) -> None:
        self._handler = handler
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        subnet = ""
        for option in query.options:
            if isinstance(option, dns.edns.ECSOption):
                subnet = f"{option.address}/{option.srclen}"
        found = self._handler(query.question[0].name.to_text(omit_final_dot=True).lower(), subnet)
        if found is None:
            return
        answer = dns.message.make_response(query)
        if isinstance(found, int):
            answer.set_rcode(dns.rcode.Rcode(found))
        else:
            for name, ttl, kind, value in found:
                answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", kind, value))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server(handler: DnsHandler) -> AsyncIterator[int]:
    """A DNS server on a free UDP port. The handler gets name and client subnet; None stays silent, an int is a code."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Dns(handler), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def reply(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    """An HTTP answer with a length."""
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def http_server(handler: HttpHandler, host: str = "127.0.0.1") -> AsyncIterator[tuple[int, list[str]]]:
    """A plain HTTP server: its port, and the peers that have connected. An empty answer closes the connection."""
    peers: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(str(writer.get_extra_info("peername")))
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                answer = await handler(method, target, headers, body)
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1], peers
    finally:
        server.close()
