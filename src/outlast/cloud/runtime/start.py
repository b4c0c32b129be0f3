"""How a template process begins: enclosed where the system allows it, else saying why not.

Run as `python -m outlast.cloud.runtime.start FD FOLDER CELL`: the Region's control socket, the folder that holds what
workers use and goes when the template goes, and what workers may see (`cell.Cell`, or `-` for no enclosure). This
process takes the namespaces, and stays behind as a bare interpreter that waits and clears up; its child, the first
process of the namespace, becomes the template. When either ends, everything inside ends with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
from typing import Final

from outlast.cloud.enclosure import Unable, probe
from outlast.cloud.runtime import cell as cells
from outlast.cloud.runtime import sandbox

NOT_ASKED: Final = "-"


def main(argv: list[str]) -> int:
    """Be the template, or the parent of it, until the Region hangs up."""
    control, folder = socket.socket(fileno=int(argv[1])), argv[2]
    control.setblocking(True)
    os.set_inheritable(control.fileno(), False)
    with contextlib.suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _begin(control, folder, argv[3])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _begin(control: socket.socket, folder: str, wanted: str) -> None:
    if wanted == NOT_ASKED:
        why = "not asked for"
    else:
        cell = cells.Cell.read(wanted)
        why = probe(lambda: cells.rehearse(cell, folder))
        if not why:
            _apart(control, folder, cell)
            return
    sandbox.die_with_parent(signal.SIGTERM)
    _serve(control, None, folder, why)


def _apart(control: socket.socket, folder: str, cell: cells.Cell) -> None:
    cells.separate()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.die_with_parent(signal.SIGKILL)
            _serve(control, cell, folder, "")
        finally:
            os._exit(0)
    control.close()
    os.waitpid(pid, 0)


def _serve(control: socket.socket, cell: cells.Cell | None, folder: str, why: str) -> None:
    """Import what is kept warm, only now: the parent needs none of it."""
    from outlast.cloud.runtime.template import Template, warm_up

    warm_up()
    if cell is None:
        Template(control, None).serve(why, ())
        return
    try:
        ways = cells.enter(cell, folder)
    except Unable as unable:
        sys.stderr.write(f"outlast: the template could not be enclosed: {unable}\n")
        return
    Template(control, cells.Births()).serve("", ways)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
