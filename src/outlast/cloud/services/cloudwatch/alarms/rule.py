"""Rules of composite alarms: ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA("c")).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.cloudwatch.model import AlarmState

MAX_ELEMENTS = 500
MAX_ALARMS = 100
MAX_DEPTH = 50


class RuleFault(Exception):
    """A rule that cannot be read; the text says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class StateIs:
    """True while the alarm `name` (a name or an ARN) is in `state`."""

    state: AlarmState
    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Combined:
    """AND, OR or NOT of others."""

    operator: str
    operands: tuple[Rule, ...]


Rule = StateIs | Constant | Combined

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s()\"']+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE|AT_LEAST)\b|(?P<sign>[()]))"
)


def read_rule(text: str) -> Rule:
    """The rule's tree; raises RuleFault."""
    reader = _Reader(list(_tokens(text)))
    found = reader.either(0)
    if reader.left:
        raise RuleFault(f"AlarmRule must not contain anything after a complete rule: {reader.left[0][0]}")
    if len(set(alarms_of(found))) > MAX_ALARMS:
        raise RuleFault(f"AlarmRule must not contain more than {MAX_ALARMS} alarms")
    return found


def alarms_of(rule: Rule) -> Iterator[str]:
    """The names or ARNs of the alarms that a rule looks at."""
    if isinstance(rule, StateIs):
        yield rule.name
    elif isinstance(rule, Combined):
        for each in rule.operands:
            yield from alarms_of(each)


def is_true(rule: Rule, state_of: Callable[[str], AlarmState]) -> bool:
    """Whether the rule holds."""
    if isinstance(rule, StateIs):
        return state_of(rule.name) == rule.state
    if isinstance(rule, Constant):
        return rule.value
    if rule.operator == "NOT":
        return not is_true(rule.operands[0], state_of)
    truths = (is_true(each, state_of) for each in rule.operands)
    return all(truths) if rule.operator == "AND" else any(truths)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    count = 0
    text = text.rstrip()
    if not text:
        raise RuleFault("AlarmRule must not be empty")
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise RuleFault(f"AlarmRule is not valid at position {place}: {text[place : place + 20].strip()}")
        count += 1
        if count > MAX_ELEMENTS:
            raise RuleFault(f"AlarmRule must not contain more than {MAX_ELEMENTS} elements")
        if found["state"]:
            yield found["state"], found["quoted"] or found["single"] or found["bare"] or ""
        elif found["word"] == "AT_LEAST":
            raise RuleFault("AT_LEAST is not supported by this cloud")
        else:
            yield found["word"] or found["sign"], ""
        place = found.end()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens

    def _take(self, word: str) -> bool:
        if self.left and self.left[0][0] == word:
            self.left = self.left[1:]
            return True
        return False

    def either(self, depth: int) -> Rule:
        """Alternatives joined by OR."""
        if depth > MAX_DEPTH:
            raise RuleFault("AlarmRule is nested too deeply")
        operands = [self._both(depth)]
        while self._take("OR"):
            operands.append(self._both(depth))
        return operands[0] if len(operands) == 1 else Combined("OR", tuple(operands))

    def _both(self, depth: int) -> Rule:
        operands = [self._one(depth)]
        while self._take("AND"):
            operands.append(self._one(depth))
        return operands[0] if len(operands) == 1 else Combined("AND", tuple(operands))

    def _one(self, depth: int) -> Rule:
        if depth > MAX_DEPTH:
            raise RuleFault("AlarmRule is nested too deeply")
        if self._take("NOT"):
            return Combined("NOT", (self._one(depth + 1),))
        if self._take("("):
            found = self.either(depth + 1)
            if not self._take(")"):
                raise RuleFault("AlarmRule lacks a closing parenthesis")
            return found
        if not self.left:
            raise RuleFault("AlarmRule ends too early")
        (word, name), self.left = self.left[0], self.left[1:]
        if word in ("TRUE", "FALSE"):
            return Constant(word == "TRUE")
        if word in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            if not name:
                raise RuleFault("AlarmRule names an alarm without a name")
            return StateIs(word, name)  # type: ignore[arg-type]
        raise RuleFault(f"AlarmRule is not valid at {word}")
