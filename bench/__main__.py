"""`python -m bench`: the front door's cost, then this cloud beside its peers; `--write` writes docs/performance.md.

Ends with 1 when signature and policy together cost more than `bench.door` allows.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import door, peers, report, sidebyside, workloads, wrk

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", default=",".join(peers.ALL), help="comma-separated: " + ", ".join(peers.ALL))
    parser.add_argument("--only", default="", help="parts of workloads' names, comma-separated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds for each workload before the rounds")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    return parser.parse_args()


def chosen(parts: str) -> Sequence[str]:
    """The names of the workloads that were asked for."""
    names = [each.name for each in workloads.WORKLOADS]
    return [name for name in names if not parts or any(part.lower() in name.lower() for part in parts.split(","))]


def main() -> int:
    """Run what was asked for."""
    asked = arguments()
    status = asyncio.run(door.main())
    try:
        wrk.require()
    except wrk.NoLoadGenerator as error:
        print(error, file=sys.stderr)
        return 1
    with sidebyside.contestants(asked.peers.split(","), chosen(asked.only)) as rivals:
        if not rivals:
            return 1
        sidebyside.leave_idle(rivals)
        sidebyside.warm_up(rivals, asked.warm_up, asked.connections)
        sidebyside.play(rivals, asked.rounds, asked.seconds, asked.connections)
        text = report.tables(rivals)
    print(text)
    if asked.write:
        old = PAGE.read_text() if PAGE.exists() else ""
        PAGE.write_text(report.page(old, text, asked.rounds, asked.seconds, asked.connections))
    return status


if __name__ == "__main__":
    sys.exit(main())
