"""Whoever outlives a drill that is killed: a shell that waits at the end of a pipe, and then has things put back.

`kill -9` and the kernel's want of memory let nobody tidy up. The pipe ends with the drill, whatever ends it; a word on
it says that there is nothing left to do.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SCRIPT: Final = 'read -r word && exit 0; exec "$@"'


@contextmanager
def guarded(command: Sequence[str], log: Path) -> Iterator[None]:
    """Have `command` run, its output in `log`, should this process die within; it runs in a session of its own.

    An exception that leaves the block is no death: whoever raises it has tidied up.
    """
    with log.open("ab") as out:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "guardian", *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    assert shell.stdin is not None
    try:
        yield
    finally:
        with suppress(BrokenPipeError):  # somebody has ended the shell: then there is nobody to be told
            shell.stdin.write(b"over\n")
            shell.stdin.close()
        shell.wait()
        if not log.stat().st_size:
            log.unlink()
