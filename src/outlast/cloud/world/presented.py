"""Which certificate a Region shows: by the name that the client asks for (SNI), leaf certificates made on demand.

A leaf is made anew a month before its end, at the first handshake that would show the old one, so a Region that runs
for years never shows an expired one unless the fault asks for it.
"""

from __future__ import annotations

import datetime as dt
import re
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from outlast.cloud.world.authority import LEAF_DAYS, Authority, Pair, load_pair, server_context

MAX_CONTEXTS = 256
RENEW_BEFORE_S = 30 * 86_400.0
NEVER_S = float("inf")
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+")
CLOUD_SUFFIXES = (".amazonaws.com", ".api.aws", ".outlast.internal")
OTHER_NAME = "somebody-else.outlast.internal"
Trouble = Literal["", "expired", "wrong"]
"""What is amiss with the certificates that are shown, if a fault asks for it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A context that presents a certificate until it is time for another."""

    context: ssl.SSLContext
    renew_s: float


class Renewed:
    """One context for certain names whose certificate is made anew in place; for listeners without SNI, and links."""

    def __init__(self, issue: Callable[[], Pair], context: ssl.SSLContext, folder: Path, now_s: float) -> None:
        self.context = context
        self._issue = issue
        self._folder = folder
        self._renew_s = due_s(now_s)

    def renew(self, now_s: float) -> bool:
        """Load another certificate when it is time; new connections get it. Did it?"""
        if now_s < self._renew_s:
            return False
        load_pair(self.context, self._issue(), self._folder)
        self._renew_s = due_s(now_s)
        return True


def due_s(now_s: float, days: float = LEAF_DAYS) -> float:
    """When a leaf that is made now has to be made anew."""
    return now_s + days * 86_400 - RENEW_BEFORE_S


class PresentedCertificates:
    """The `Certificates` capability of a Region, and its server contexts."""

    def __init__(self, authority: Authority, folder: Path, own_names: Sequence[str], now: Callable[[], float]) -> None:
        self._authority = authority
        self._folder = folder
        self._own_names = tuple(own_names)
        self._now = now
        self._served: dict[str, Pair] = {}
        self._made: OrderedDict[str, Shown] = OrderedDict()
        context = server_context(self._pair(self._own_names), folder)
        context.sni_callback = self._choose
        self._default = Renewed(lambda: self._pair(self._own_names), context, folder, now())
        self._trouble: Trouble = ""
        self.changed: Callable[[], object] = lambda: None

    def state(self) -> dict[str, Any]:
        """What another process needs to show the same: see `take`."""
        served = {name: (pair.certificate_pem, pair.key_pem) for name, pair in self._served.items()}
        return {"served": served, "trouble": self._trouble}

    def take(self, state: Mapping[str, Any]) -> None:
        """Show from now on what the `state` of another process says."""
        self._served = {name: Pair(*pair) for name, pair in state["served"].items()}
        self._trouble = state["trouble"]
        self._made.clear()

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), dt.UTC)

    def _pair(self, names: Sequence[str], days: float = LEAF_DAYS) -> Pair:
        return self._authority.issue(names, self._moment(), days=days)

    @property
    def authority_pem(self) -> str:
        return self._authority.pair.certificate_pem

    def issue(self, names: Sequence[str], days: int) -> tuple[str, str]:
        pair = self._pair(names, days)
        return pair.certificate_pem, pair.key_pem

    def serve(self, name: str, certificate_pem: str, key_pem: str) -> None:
        self._served[name.lower().rstrip(".")] = Pair(certificate_pem, key_pem)
        self._made.clear()
        self.changed()

    def context(self) -> ssl.SSLContext:
        """The context that new connections start with."""
        return self._default.context

    def renew(self) -> None:
        """Make the Region's own certificate anew when it is time; call it now and then."""
        self._default.renew(self._now())

    def trouble(self, trouble: Trouble) -> None:
        """Show expired certificates from now on, or some for another name, or (empty) good ones again."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._made.clear()

    def _choose(self, session: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked = (name or "").lower().rstrip(".")
        found = self._made.get(asked)
        if found is None or found.renew_s <= self._now():
            if not self._trouble and not self._known(asked):
                return
            found = self._make(asked)
            self._made[asked] = found
            while len(self._made) > MAX_CONTEXTS:
                self._made.popitem(last=False)
        session.context = found.context

    def _known(self, name: str) -> bool:
        return self._served_pair(name) is not None or (
            name.endswith(CLOUD_SUFFIXES) and HOST.fullmatch(name) is not None
        )

    def _served_pair(self, name: str) -> Pair | None:
        pair = self._served.get(name)
        if pair is None:
            pair = self._served.get("*." + name.partition(".")[2])
        return pair

    def _make(self, name: str) -> Shown:
        if self._trouble:
            names = (OTHER_NAME,) if self._trouble == "wrong" else (name,) if HOST.fullmatch(name) else self._own_names
            pair = self._pair(names, days=-1 if self._trouble == "expired" else LEAF_DAYS)
            return Shown(server_context(pair, self._folder), NEVER_S)
        served = self._served_pair(name)
        if served is not None:
            return Shown(server_context(served, self._folder), NEVER_S)
        return Shown(server_context(self._pair((name,)), self._folder), due_s(self._now()))
