"""Own probes: signed GET /health to one Region's endpoint, over a fresh connection and over one that is kept.

The two differ when old connections go on working while new ones fail, or the other way round; a gray failure shows in
both, sometimes. A late answer is a bad one.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from outlast.ops.http import Connection, Unreachable
from outlast.ops.names import Names, NoAnswer
from outlast.ops.sightings import Sample
from outlast.ops.signing import Credentials, sign


@dataclass(slots=True)
class Probe:
    """Probes one Region's API at `url` (https://…/live). `pooled` keeps the connection.

    An answer after `slow_ms` is too late, so a probe waits no longer.
    """

    region: str
    url: str
    port: int
    names: Names
    tls: ssl.SSLContext | None
    keys: Callable[[], Credentials]
    pooled: bool
    slow_ms: float = 1500.0
    now_s: Callable[[], float] = time.time
    _kept: Connection | None = field(default=None, init=False)

    @property
    def vantage(self) -> str:
        """The vantage point's name."""
        return "probe-pooled" if self.pooled else "probe-fresh"

    async def look(self) -> Sample:
        """One probe; never raises."""
        problem = await self._ask()
        return Sample(self.now_s(), self.vantage, self.region, bool(problem), problem)

    def close(self) -> None:
        """End the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def _ask(self) -> str:
        """What is wrong, empty when nothing is."""
        url = f"{self.url}/health"
        connection: Connection | None = None
        try:
            connection = self._kept or await self._connect()
            headers = sign(self.keys(), [self.region], "GET", url, b"", self.now_s())
            answer = await connection.request("GET", urlsplit(url).path, headers, b"", self.slow_ms / 1000)
        except NoAnswer:
            return "the name has no answer"
        except TimeoutError:
            return f"no answer within {self.slow_ms:.0f} ms"
        except Unreachable as error:
            return f"unreachable ({error})"
        finally:
            if connection is not None and not self.pooled:
                connection.close()
        if answer.status != 200:
            return f"status {answer.status}"
        try:
            body = json.loads(answer.body)
        except ValueError:
            return "an answer that is no JSON"
        return "" if isinstance(body, dict) and body.get("status") == "ok" else "an answer that is not ok"

    async def _connect(self) -> Connection:
        host = urlsplit(self.url).hostname or ""
        resolved = await self.names.resolve(host)
        if not resolved.addresses:
            raise NoAnswer(host)
        connection = Connection(resolved.addresses[0], self.port, host, self.tls)
        if self.pooled:
            self._kept = connection
        return connection
