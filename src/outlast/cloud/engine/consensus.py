"""Agreement on registers: a replicated register per key, changed by read-modify-write, in the CASPaxos style.

D. Rystsov, "CASPaxos: Replicated State Machines without logs", https://arxiv.org/abs/1802.07000. Everything here is
pure: messages in, messages out. Values are bytes and mean nothing here. `consensus_node` gives it a disk and links.

Rules
 1. A ballot is (counter, Region). No two attempts ever share one: a proposer asks its own acceptor first, and lets
    others hear of the ballot only once that promise is durable. A promise is given once for a ballot, never again.
 2. A reply leaves an acceptor only after the register it speaks of is durable.
 3. A proposer changes the value of the highest ballot that a majority reports, and nothing else.
 4. A value is chosen once a majority has accepted it under one ballot. Chosen values form one chain: each was made
    from the one before. So changes and reads of one key are linearizable.
 5. A refusal or a missing answer after Accept was sent leaves the outcome open: the value may yet be chosen, by this
    attempt or by a later one that reads it. A repeated change must therefore be harmless when it meets its own effect.

Acceptor: what a register does with a message (`answer`)

    message          when                 reply                              register becomes
    Prepare(b)       b > promised         Promised(b, accepted, value)       promised = b
    Prepare(b)       b <= promised        Refused(b, promised)               -
    Accept(b, v)     b >= promised        Accepted(b)                        promised = accepted = b, value = v
    Accept(b, v)     b < promised         Refused(b, promised)               -
    Ask(known)       always               Report(accepted, value, learnt)    -

Proposer: one attempt (`Attempt`)

    state            hears                                    becomes        sends to all
    PREPARING        Promised from a majority                 ACCEPTING      Accept(b, changed value)
    ACCEPTING        Accepted from a majority                 CHOSEN         (Learn, by whoever drives it)
    either           Refused under a higher ballot            LOST           -
    either           too many members silent for a majority   UNREACHABLE    -
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Ballot:
    """The rank of an attempt; totally ordered."""

    counter: int
    region: str


NEVER = Ballot(0, "")
"""Below every ballot: nothing was promised or accepted."""


@dataclass(frozen=True, slots=True)
class Register:
    """What one acceptor keeps durably for one key. `value` is None until something is accepted."""

    promised: Ballot = NEVER
    accepted: Ballot = NEVER
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Asks for a promise to refuse lower ballots."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Accept:
    """Asks to accept a value."""

    ballot: Ballot
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks what was accepted; the value itself is left out when it is that of `known`."""

    known: Ballot = NEVER


@dataclass(frozen=True, slots=True)
class Learn:
    """Tells of a chosen value."""

    ballot: Ballot
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Promised:
    """The promise for `ballot`, with what was accepted before."""

    ballot: Ballot
    accepted: Ballot
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The value of `ballot` is accepted."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Refused:
    """`ballot` came too late: a higher one was promised."""

    ballot: Ballot
    promised: Ballot


@dataclass(frozen=True, slots=True)
class Report:
    """What an acceptor holds, and the highest ballot it knows to be chosen. `same` stands for the asker's own value."""

    accepted: Ballot
    value: bytes | None
    learnt: Ballot
    same: bool = False


Message = Prepare | Accept | Ask | Learn
Reply = Promised | Accepted | Refused | Report


def answer(register: Register, message: Prepare | Accept) -> tuple[Reply, Register]:
    """The reply to a message and the register after it; a changed register must be durable before the reply leaves."""
    if isinstance(message, Prepare):
        if message.ballot <= register.promised:
            return Refused(message.ballot, register.promised), register
        promise = Promised(message.ballot, register.accepted, register.value)
        return promise, replace(register, promised=message.ballot)
    if message.ballot < register.promised:
        return Refused(message.ballot, register.promised), register
    return Accepted(message.ballot), Register(message.ballot, message.ballot, message.value)


def report(register: Register, learnt: Ballot, known: Ballot) -> Report:
    """The answer to Ask."""
    if register.accepted == known:
        return Report(register.accepted, None, learnt, same=True)
    return Report(register.accepted, register.value, learnt)


def majority(members: Iterable[str]) -> int:
    """How many members make a majority."""
    return len(tuple(members)) // 2 + 1


class State(Enum):
    """Where an attempt stands."""

    PREPARING = "preparing"
    ACCEPTING = "accepting"
    CHOSEN = "chosen"
    LOST = "lost"
    UNREACHABLE = "unreachable"


Change = Callable[[bytes | None], tuple[bytes | None, Any]]
"""From the present value to the next one and a result for the caller. May be called once per attempt; must be pure."""


class Attempt:
    """One try to change one register under one ballot. Give it every reply; send what it returns to all members."""

    __slots__ = (
        "_accepted",
        "_change",
        "_members",
        "_promises",
        "_silent",
        "ballot",
        "result",
        "rival",
        "state",
        "value",
    )

    def __init__(self, members: Iterable[str], ballot: Ballot, change: Change) -> None:
        self._members = frozenset(members)
        self._change = change
        self._promises: dict[str, Promised] = {}
        self._accepted: set[str] = set()
        self._silent: set[str] = set()
        self.ballot = ballot
        self.state = State.PREPARING
        self.value: bytes | None = None
        self.result: Any = None
        self.rival = NEVER

    @property
    def is_open(self) -> bool:
        """Whether replies can still change anything."""
        return self.state in (State.PREPARING, State.ACCEPTING)

    def begin(self) -> Prepare:
        """The first message, for the proposer's own acceptor before all others."""
        return Prepare(self.ballot)

    def hear(self, member: str, reply: Reply) -> Accept | None:
        """Take a reply; returns what all members must now get. Duplicates and stray replies do no harm."""
        if not self.is_open or member not in self._members:
            return None
        if isinstance(reply, Refused):
            if reply.ballot == self.ballot and reply.promised > self.ballot:
                self.state, self.rival = State.LOST, reply.promised
        elif isinstance(reply, Promised):
            if reply.ballot == self.ballot and self.state is State.PREPARING:
                self._promises[member] = reply
                return self._prepared()
        elif isinstance(reply, Accepted) and reply.ballot == self.ballot and self.state is State.ACCEPTING:
            self._accepted.add(member)
            if len(self._accepted) >= majority(self._members):
                self.state = State.CHOSEN
        return None

    def _prepared(self) -> Accept | None:
        if len(self._promises) < majority(self._members):
            return None
        latest = max(self._promises.values(), key=lambda promise: promise.accepted)
        self.value, self.result = self._change(latest.value)
        self.state = State.ACCEPTING
        self._silent.clear()
        return Accept(self.ballot, self.value)

    def miss(self, member: str, message: Prepare | Accept) -> None:
        """No answer to `message` will come from this member."""
        if isinstance(message, Prepare) is not (self.state is State.PREPARING) or not self.is_open:
            return
        heard = self._promises.keys() if self.state is State.PREPARING else self._accepted
        if member not in heard:
            self._silent.add(member)
        if len(self._members) - len(self._silent) < majority(self._members):
            self.state = State.UNREACHABLE


class Survey:
    """One round of Ask: finds the chosen value when a majority holds one and the same ballot."""

    __slots__ = ("_known", "_known_value", "_members", "_reports", "_silent")

    def __init__(self, members: Iterable[str], known: Ballot = NEVER, known_value: bytes | None = None) -> None:
        self._members = frozenset(members)
        self._known = known
        self._known_value = known_value
        self._reports: dict[str, Report] = {}
        self._silent: set[str] = set()

    def begin(self) -> Ask:
        """The message for all members."""
        return Ask(self._known)

    def hear(self, member: str, reply: Reply) -> None:
        """Take a reply."""
        if isinstance(reply, Report) and member in self._members:
            if reply.same:
                reply = replace(reply, value=self._known_value, same=False)
            self._reports[member] = reply

    def miss(self, member: str) -> None:
        """No answer will come from this member."""
        self._silent.add(member)

    @property
    def chosen(self) -> tuple[Ballot, bytes | None] | None:
        """The ballot and value that a majority holds; at least as new as anything chosen before the survey began."""
        counts: dict[Ballot, int] = {}
        for each in self._reports.values():
            counts[each.accepted] = counts.get(each.accepted, 0) + 1
            if counts[each.accepted] >= majority(self._members):
                return each.accepted, each.value
        return None

    @property
    def learnt(self) -> tuple[Ballot, bytes | None] | None:
        """The newest value that some member knows to be chosen; may be old."""
        known = [each for each in self._reports.values() if each.learnt == each.accepted != NEVER]
        if not known:
            return None
        newest = max(known, key=lambda each: each.learnt)
        return newest.accepted, newest.value

    @property
    def is_over(self) -> bool:
        """Whether every member has answered or fallen silent."""
        return len(self._reports.keys() | self._silent) >= len(self._members)

    @property
    def has_majority(self) -> bool:
        """Whether a majority has answered."""
        return len(self._reports) >= majority(self._members)
