"""The pure rules stay linearizable over links that lose, reorder and duplicate, with members that crash."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.engine.consensus import (
    NEVER,
    Accept,
    Attempt,
    Ballot,
    Message,
    Prepare,
    Promised,
    Register,
    Reply,
    State,
    Survey,
    answer,
    report,
)
from tests.property.consensus.history import NOT_YET, Operation, is_linearizable

MAX_OPERATIONS = 9


@dataclass
class Member:
    """A member's disk, and what its process has in memory."""

    register: Register = field(default_factory=Register)
    work: Attempt | Survey | None = None
    operation: Operation | None = None
    serial: int = 0


@dataclass(frozen=True)
class Letter:
    """Something on a link."""

    sender: str
    receiver: str
    content: Message | Reply
    serial: int


class Group:
    """Members, the letters under way, and the history so far. `random` decides everything."""

    def __init__(self, size: int, chance: random.Random) -> None:
        self.members = {f"r{number}": Member() for number in range(size)}
        self.letters: list[Letter] = []
        self.history: list[Operation] = []
        self.chance = chance
        self.step = 0

    def answer(self, register: Register, message: Prepare | Accept) -> tuple[Reply, Register]:
        return answer(register, message)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step += 1
            name = self.chance.choice(list(self.members))
            roll = self.chance.random()
            if roll < 0.08:
                self.begin(name)
            elif roll < 0.11:
                self.crash(name)
            elif self.letters:
                self.deliver()

    def begin(self, name: str) -> None:
        member = self.members[name]
        if member.operation is not None or len(self.history) >= MAX_OPERATIONS:
            return
        member.serial += 1
        written = str(len(self.history) + 1).encode()
        if self.chance.random() < 0.3:
            member.operation = Operation("read", None, self.step)
            member.work = Survey(self.members)
            self.send_all(name, member.work.begin())
        else:
            member.operation = Operation("swap", written, self.step)
            ballot = Ballot(member.register.promised.counter + 1, name)
            member.work = Attempt(self.members, ballot, lambda value: (written, value))
            reply, member.register = self.answer(member.register, member.work.begin())
            if len(self.members) == 1:
                self.take(name, name, reply)
            else:
                self.take(name, name, reply)
                self.send_all(name, member.work.begin(), but=name)
        self.history.append(member.operation)

    def send_all(self, name: str, message: Message, but: str = "") -> None:
        serial = self.members[name].serial
        self.letters += [Letter(name, other, message, serial) for other in self.members if other != but]

    def crash(self, name: str) -> None:
        """The process forgets what it was doing; the disk stays. Letters under way stay under way."""
        member = self.members[name]
        member.work = member.operation = None

    def deliver(self) -> None:
        letter = self.letters.pop(self.chance.randrange(len(self.letters)))
        if self.chance.random() < 0.1:
            return
        if self.chance.random() < 0.15:
            self.letters.append(letter)
        member = self.members[letter.receiver]
        if isinstance(letter.content, (Prepare, Accept)):
            reply, member.register = self.answer(member.register, letter.content)
        elif hasattr(letter.content, "known"):
            reply = report(member.register, NEVER, letter.content.known)
        else:
            if self.members[letter.receiver].serial == letter.serial or not isinstance(member.work, Survey):
                self.take(letter.receiver, letter.sender, letter.content)
            return
        self.letters.append(Letter(letter.receiver, letter.sender, reply, letter.serial))

    def take(self, name: str, sender: str, reply: Message | Reply) -> None:
        member = self.members[name]
        if isinstance(member.work, Attempt):
            accept = member.work.hear(sender, reply)  # type: ignore[arg-type]
            if accept is not None:
                self.send_all(name, accept)
            if member.work.state is State.CHOSEN:
                self.end(member, member.work.result)
            elif not member.work.is_open:
                member.work = member.operation = None
        elif isinstance(member.work, Survey):
            member.work.hear(sender, reply)  # type: ignore[arg-type]
            if member.work.chosen is not None:
                self.end(member, member.work.chosen[1])

    def end(self, member: Member, told: bytes | None) -> None:
        assert member.operation is not None
        member.operation.ended, member.operation.told = self.step, told
        member.work = member.operation = None


@pytest.mark.parametrize("size", [1, 3, 5])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_histories_are_linearizable(size: int, seed: int) -> None:
    group = Group(size, random.Random(seed))

    group.run(400)

    assert is_linearizable(group.history), group.history


class Forgetful(Group):
    """Acceptors that promise the same ballot twice and accept below a promise: the rules broken on purpose."""

    def answer(self, register: Register, message: Prepare | Accept) -> tuple[Reply, Register]:
        if isinstance(message, Prepare):
            return Promised(message.ballot, register.accepted, register.value), register
        return answer(Register(NEVER, register.accepted, register.value), message)


def test_broken_rules_are_found() -> None:
    found = 0
    for seed in range(60):
        group = Forgetful(3, random.Random(seed))
        group.run(400)
        found += not is_linearizable(group.history)

    assert found > 0


def test_most_operations_end_when_little_is_lost() -> None:
    """Safety that never lets anything happen would be worthless."""
    ended = begun = 0
    for seed in range(40):
        group = Group(5, random.Random(seed))
        group.run(400)
        begun += len(group.history)
        ended += sum(operation.ended != NOT_YET for operation in group.history)

    assert ended > begun / 3


def test_an_acceptor_follows_its_table() -> None:
    low, high = Ballot(1, "a"), Ballot(1, "b")
    _, register = answer(Register(), Prepare(high))

    refused, same = answer(register, Prepare(low))
    again, _ = answer(register, Prepare(high))
    accepted, filled = answer(register, Accept(high, b"v"))
    late, kept = answer(filled, Accept(low, b"w"))

    assert (refused.promised, same) == (high, register)  # type: ignore[union-attr]
    assert again.promised == high  # type: ignore[union-attr]
    assert (accepted.ballot, filled) == (high, Register(high, high, b"v"))  # type: ignore[union-attr]
    assert (late.promised, kept) == (high, filled)  # type: ignore[union-attr]


def test_an_attempt_gives_up_when_no_majority_is_left() -> None:
    attempt = Attempt("abc", Ballot(1, "a"), lambda value: (value, None))

    attempt.miss("b", attempt.begin())
    assert attempt.is_open
    attempt.miss("c", attempt.begin())

    assert attempt.state is State.UNREACHABLE
