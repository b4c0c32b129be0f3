"""Which certificate a Region shows: by the name that the client asks for (SNI), leaf certificates made on demand."""

from __future__ import annotations

import datetime as dt
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from outlast.cloud.world.authority import Authority, Pair, server_context

MAX_CONTEXTS = 256
CLOUD_SUFFIXES = (".amazonaws.com", ".api.aws", ".outlast.internal")


class PresentedCertificates:
    """The `Certificates` capability of a Region, and its server contexts."""

    def __init__(self, authority: Authority, folder: Path, own_names: Sequence[str], now: Callable[[], float]) -> None:
        self._authority = authority
        self._folder = folder
        self._own_names = tuple(own_names)
        self._now = now
        self._served: dict[str, Pair] = {}
        self._made: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._default = self._context(self._pair(self._own_names))
        self._default.sni_callback = self._choose
        self.expired = False

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), dt.UTC)

    def _pair(self, names: Sequence[str], days: float = 397) -> Pair:
        return self._authority.issue(names, self._moment(), days=days)

    def _context(self, pair: Pair) -> ssl.SSLContext:
        return server_context(pair, self._folder)

    @property
    def authority_pem(self) -> str:
        return self._authority.pair.certificate_pem

    def issue(self, names: Sequence[str], days: int) -> tuple[str, str]:
        pair = self._pair(names, days)
        return pair.certificate_pem, pair.key_pem

    def serve(self, name: str, certificate_pem: str, key_pem: str) -> None:
        self._served[name.lower().rstrip(".")] = Pair(certificate_pem, key_pem)
        self._made.clear()

    def context(self) -> ssl.SSLContext:
        """The context that new connections start with."""
        return self._default

    def expire(self, expired: bool) -> None:
        """Show expired certificates from now on, or good ones again."""
        if expired != self.expired:
            self.expired = expired
            self._made.clear()

    def _choose(self, session: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked = (name or "").lower().rstrip(".")
        found = self._made.get(asked)
        if found is None:
            if not self.expired and not self._known(asked):
                return
            found = self._make(asked)
            self._made[asked] = found
            while len(self._made) > MAX_CONTEXTS:
                self._made.popitem(last=False)
        session.context = found

    def _known(self, name: str) -> bool:
        return self._served_pair(name) is not None or name.endswith(CLOUD_SUFFIXES)

    def _served_pair(self, name: str) -> Pair | None:
        pair = self._served.get(name)
        if pair is None:
            pair = self._served.get("*." + name.partition(".")[2])
        return pair

    def _make(self, name: str) -> ssl.SSLContext:
        if self.expired:
            return self._context(self._pair((name,) if name else self._own_names, days=-1))
        return self._context(self._served_pair(name) or self._pair((name,)))
