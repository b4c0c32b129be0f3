"""The program itself: the command, and Ctrl-C while it is still being loaded, which is no traceback either."""

from __future__ import annotations

import sys


def main() -> None:
    """Load the command and run it; ended by Ctrl-C, its status is 130."""
    try:
        from outlast.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
