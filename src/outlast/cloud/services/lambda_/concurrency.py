"""How many events may run at once: the account's limit and what functions have reserved of it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException, TooManyRequestsException

ACCOUNT_LIMIT: Final = 1000
UNRESERVED_MINIMUM: Final = 100


class Concurrency:
    """The events that run now."""

    def __init__(self, limit: int = ACCOUNT_LIMIT) -> None:
        self.limit = limit
        self.reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._unreserved = 0

    @property
    def unreserved_limit(self) -> int:
        """What functions without a reservation share."""
        return self.limit - sum(self.reserved.values())

    def running(self, name: str) -> int:
        """Events of the function that run now."""
        return self._running[name]

    @property
    def total(self) -> int:
        """Events of all functions that run now."""
        return sum(self._running.values())

    def enter(self, name: str) -> None:
        """Count one event in; raises TooManyRequestsException. Pair it with `leave`."""
        reserved = self.reserved.get(name)
        if reserved is not None:
            if self._running[name] >= reserved:
                raise TooManyRequestsException.reserved()
        elif self._unreserved >= self.unreserved_limit:
            raise TooManyRequestsException.account()
        else:
            self._unreserved += 1
        self._running[name] += 1

    def leave(self, name: str) -> None:
        """Count one event out."""
        self._running[name] -= 1
        if self._running[name] <= 0:
            del self._running[name]
        if name not in self.reserved and self._unreserved:
            self._unreserved -= 1

    def reserve(self, name: str, value: int | None) -> None:
        """Set or remove a function's reservation; raises InvalidParameterValueException."""
        others = sum(each for other, each in self.reserved.items() if other != name)
        if value is not None and self.limit - others - value < UNRESERVED_MINIMUM:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED_MINIMUM}]."
            )
        self.load(name, value)

    def load(self, name: str, value: int | None) -> None:
        """Set or remove a reservation without judging it."""
        if value is None:
            self.reserved.pop(name, None)
        else:
            self.reserved[name] = value
        held: Mapping[str, int] = self._running
        self._unreserved = sum(count for other, count in held.items() if other not in self.reserved)
