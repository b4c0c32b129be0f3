"""What a forked child does before it touches a user's code: it becomes the function's environment and nothing else.

Order matters: first what it inherited goes (descriptors, signals, variables), then its own limits and folders come.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
OPEN_FILES: Final = 1024
COLLECT_AFTER: Final = (5_000, 10, 20)
"""The collector runs less often than by default: what the template holds is frozen, and events leave little behind."""
FALLBACK_MAPPED_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Spec:
    """One execution environment, as the Region asks for it."""

    ident: int
    kind: str
    task_folder: str
    scratch_folder: str
    cache_folder: str
    handler: str
    memory_mb: int
    storage_mb: int
    variables: dict[str, str]
    layers: tuple[str, ...]
    names: tuple[str, int, int] | None
    shown: tuple[tuple[str, str, bool], ...]
    """What is shown of the stage, in an enclosure."""
    authority: str
    """The file of the world's authority, where there is no enclosure."""

    @classmethod
    def read(cls, meta: dict[str, Any]) -> Spec:
        """From a fork message."""
        names = meta.get("names")
        return cls(
            ident=meta["id"],
            kind=meta["kind"],
            task_folder=meta["task"],
            scratch_folder=meta["scratch"],
            cache_folder=meta["cache"],
            handler=meta["handler"],
            memory_mb=meta["memory_mb"],
            storage_mb=meta["storage_mb"],
            variables=meta["variables"],
            layers=tuple(meta["layers"]),
            names=(names[0], names[1], names[2]) if names else None,
            shown=tuple((source, path, writable) for source, path, writable in meta["shown"]),
            authority=meta["authority"],
        )


def die_with_parent(signum: int) -> None:
    """Receive `signum` when the parent dies (Linux; elsewhere the closed socket tells)."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def keep_only(channel_fd: int, log_fd: int) -> None:
    """Close every descriptor but the channel; standard output and error become the log, input is empty."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target, inheritable=True)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    top = 1 << 20 if limit == resource.RLIM_INFINITY else limit
    os.closerange(3, channel_fd)
    os.closerange(channel_fd + 1, top)


def reset_signals() -> None:
    """Undo the template's signal handling."""
    signal.set_wakeup_fd(-1)
    for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def become(spec: Spec) -> None:
    """Take the function's variables, folder, streams and random state."""
    os.environ.clear()
    os.environ.update(spec.variables)
    time.tzset()
    os.umask(0o077)
    os.chdir(spec.task_folder)
    tempfile.tempdir = None
    sys.pycache_prefix = spec.cache_folder
    sys.argv = [spec.handler]
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    random.seed()
    gc.set_threshold(*COLLECT_AFTER)


def mapped_bytes() -> int:
    """Bytes of address space this process holds now."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return FALLBACK_MAPPED_BYTES


def limit(spec: Spec) -> None:
    """Bound memory (what the function adds to the warm template), files and descriptors; no core dumps."""
    _set_limit(resource.RLIMIT_AS, mapped_bytes() + (spec.memory_mb << 20))
    _set_limit(resource.RLIMIT_FSIZE, spec.storage_mb << 20)
    _set_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set_limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _set_limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (bounded, bounded))


def peak_memory_mb() -> int:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10
