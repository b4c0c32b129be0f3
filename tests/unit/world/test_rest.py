"""When a process counts as having become idle."""

from __future__ import annotations

from outlast.cloud.world.rest import QUIET_LOOKS, STILL_QUIET_LOOKS, Rest

LOOK_S = 5.0


class Process:
    """A process that a Rest looks at every five seconds."""

    def __init__(self) -> None:
        self.cpu_s = self.now_s = 100.0
        self.rest = Rest(lambda: self.cpu_s, lambda: self.now_s)

    def looks(self, *shares: float) -> list[bool]:
        """What each look says when before it that share of a core was used."""
        found = []
        for share in shares:
            self.now_s += LOOK_S
            self.cpu_s += share * LOOK_S
            found.append(self.rest.due())
        return found


def test_it_is_due_twice_after_a_busy_time() -> None:
    process = Process()
    quiet = [number in (QUIET_LOOKS, STILL_QUIET_LOOKS) for number in range(1, 30)]
    assert process.looks(*[0.004] * len(quiet)) == quiet  # after the start, which was work
    assert process.looks(0.5, 0.03) == [False, False]
    assert process.looks(*[0.004] * len(quiet)) == quiet


def test_work_in_between_puts_it_off() -> None:
    process = Process()
    for _ in range(10):
        assert not any(process.looks(*[0.0] * (QUIET_LOOKS - 1), 0.05))
