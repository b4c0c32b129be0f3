"""One customer's client: a DNS cache, connections that it keeps, and signed requests.

A well-behaved client asks DNS again when the answer's time is over and leaves an address that is no longer given. A
stubborn one keeps its first answer for `hold_s`, and its connections with it: the hidden part of a recovery time.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from outlast.ops.http import Answer, Connection, Unreachable
from outlast.ops.load.log import Outcome, Record
from outlast.ops.load.workload import Want
from outlast.ops.names import Names, NoAnswer
from outlast.ops.signing import Credentials, sign

IDLE_CONNECTIONS: Final = 4
REGION_IN_NAME: Final = re.compile(r"\.([a-z]{2}-[a-z]+-\d)\.amazonaws\.com")


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is: its base URL (https://orders.example.com/v1), its Regions, and how to reach its port."""

    base_url: str
    regions: tuple[str, ...]
    port: int = 443

    @property
    def name(self) -> str:
        """The host name of the base URL."""
        return urlsplit(self.base_url).hostname or ""

    def url(self, path: str) -> str:
        """The URL of a path of the service."""
        return self.base_url.rstrip("/") + path


@dataclass(frozen=True, slots=True)
class Habits:
    """How a client behaves. `hold_s` 0: keeps to the TTL; otherwise keeps an answer that long, whatever its TTL."""

    timeout_s: float = 3.0
    hold_s: float = 0.0

    @property
    def stubborn(self) -> bool:
        """Whether the client outlives its DNS answers."""
        return self.hold_s > 0


@dataclass(slots=True)
class _Known:
    address: str
    aimed: str
    until_s: float


@dataclass(slots=True)
class _Tries:
    """How often one request was sent."""

    sent: int = 0


class Client:
    """A customer's client. `keys` gives the credentials of the moment; `now_s` epoch seconds."""

    def __init__(
        self,
        ident: str,
        coast: str,
        service: Service,
        names: Names,
        tls: ssl.SSLContext | None,
        keys: Callable[[], Credentials],
        habits: Habits,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.ident = ident
        self._coast = coast
        self._service = service
        self._names = names
        self._tls = tls
        self._keys = keys
        self._habits = habits
        self._now_s = now_s
        self._known: _Known | None = None
        self._idle: list[Connection] = []

    async def ask(self, want: Want, due_s: float) -> Record:
        """Do what a customer wants; always gives a record, never raises."""
        path = "/orders" if want.operation == "order" else f"/orders/{want.order_id}"
        method = "POST" if want.operation == "order" else "GET"
        known, answer, tries = None, None, _Tries()
        try:
            known = await self._address()
            answer = await self._send(known.address, method, path, want.body(), tries)
            outcome, code = judge(want.operation, answer)
        except NoAnswer as error:
            outcome, code = "unresolved", str(error)
        except TimeoutError:
            outcome, code = "timeout", ""
        except Unreachable as error:
            outcome, code = "unreachable", str(error)
        return Record(
            at_s=due_s,
            ms=round((self._now_s() - due_s) * 1000, 3),
            client=self.ident,
            coast=self._coast,
            stubborn=self._habits.stubborn,
            operation=want.operation,
            outcome=outcome,
            status=answer.status if answer else 0,
            code=code,
            region=answer.headers.get("x-region", "") if answer else "",
            aimed=known.aimed if known else "",
            address=known.address if known else "",
            order_id=want.order_id,
            product_id=want.product_id,
            attempts=max(1, tries.sent),
        )

    async def fill(self, prefix: str, customers: int, products: int) -> Answer:
        """Have the service write sample data. Raises NoAnswer, Unreachable, TimeoutError."""
        known = await self._address()
        body = {"prefix": prefix, "customers": customers, "products": products}
        return await self._send(known.address, "POST", "/fill", body, _Tries())

    def close(self) -> None:
        """End all connections."""
        while self._idle:
            self._idle.pop().close()

    async def _address(self) -> _Known:
        now_s = self._now_s()
        if self._known is None or now_s >= self._known.until_s:
            resolved = await self._names.resolve(self._service.name)
            if not resolved.addresses:
                raise NoAnswer(f"{self._service.name} has no address")
            keep_s = self._habits.hold_s or resolved.ttl_s
            self._known = _Known(resolved.addresses[0], aimed_at(resolved.names), now_s + keep_s)
            self._leave_others(resolved.addresses[0])
        return self._known

    def _leave_others(self, address: str) -> None:
        kept = []
        for connection in self._idle:
            if connection.address == address:
                kept.append(connection)
            else:
                connection.close()
        self._idle = kept

    async def _send(self, address: str, method: str, path: str, body: dict[str, Any] | None, tries: _Tries) -> Answer:
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        url = self._service.url(path)
        plain = {"content-type": "application/json"} if data else {}
        headers = sign(self._keys(), self._service.regions, method, url, data, self._now_s(), plain)
        target = urlsplit(url).path
        reused = self._take(address)
        if reused is not None:
            tries.sent += 1
            with suppress(Unreachable):  # the other end may close a kept connection at any time: a fresh one decides
                return await self._over(reused, method, target, headers, data)
        tries.sent += 1
        fresh = Connection(address, self._service.port, self._service.name, self._tls)
        return await self._over(fresh, method, target, headers, data)

    async def _over(
        self, connection: Connection, method: str, target: str, headers: dict[str, str], data: bytes
    ) -> Answer:
        answer = await connection.request(method, target, headers, data, self._habits.timeout_s)
        if connection.open and len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _take(self, address: str) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.address == address:
                return connection
            connection.close()
        return None


def judge(operation: str, answer: Answer) -> tuple[Outcome, str]:
    """What an answer means to the customer, and the service's code for it."""
    code = ""
    try:
        body = json.loads(answer.body or b"{}")
        code = str(body.get("code", "")) if isinstance(body, dict) else ""
    except ValueError:
        code = ""
    if 200 <= answer.status < 300:
        return "served", code
    if operation == "read" and code == "UnknownOrder":
        return "missing", code
    if 400 <= answer.status < 500 and answer.headers.get("x-region") and code:
        return "refused", code
    return "error", code


def aimed_at(names: Sequence[str]) -> str:
    """The Region that a chain of names leads to, as far as the names tell."""
    for name in reversed(names):
        found = REGION_IN_NAME.search(name)
        if found:
            return found.group(1)
    return ""
