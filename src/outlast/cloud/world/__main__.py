"""The process of a world: `python -m outlast.cloud.world FOLDER text|json`, started by `outlast up`.

What it is to run comes as one JSON line on standard input, so that no key stands on a command line. It imports nothing
of the command or of the operator's kit: every process of the world is forked from it.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable

from outlast.cloud.world.config import WorldConfig, WorldError, read_config

MAX_ORDER_BYTES = 1 << 20
MOST_DESCRIPTORS = 16_384


def main() -> int:
    """Read the order and serve until told to stop; the exit status."""
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word until the nursery listens
    from outlast.cloud.world import run
    from outlast.cloud.world.loops import share_memory
    from outlast.cloud.world.masterkey import Master

    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise_descriptors()
    share_memory()
    order = json.loads(sys.stdin.buffer.readline(MAX_ORDER_BYTES))
    config = read_config(order["config"])
    key = tuple(order["key"]) if order["key"] else None
    given = order.pop("master", None)
    master = Master(given["entry"], base64.b64decode(given["key"])) if given else None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        if sys.argv[2:] == ["text"]:
            since = started - float(order["elapsed_s"])
            return _serve_with_words(config, lambda: run.serve(config, key, master), since)
        return run.serve(config, key, master)
    except WorldError as error:
        sys.stderr.write(f"outlast: {error}\n")
        return 1


def raise_descriptors() -> None:
    """Let the Regions hold as many connections as their listeners admit, and files beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MOST_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve_with_words(config: WorldConfig, serve: Callable[[], int], started: float) -> int:
    """Serve in this process; a child turns the events into lines for people."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with os.fdopen(read) as lines:
            say(config, lines, started)
        os._exit(0)
    os.close(read)
    kept = os.dup(1)
    os.dup2(write, 1)
    os.close(write)
    try:
        return serve()
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.waitpid(pid, 0)


def say(config: WorldConfig, lines: Iterable[str], started: float) -> None:
    """Say what happens, a line each."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            print(line.rstrip(), flush=True)
            continue
        if event["event"] == "region":
            print(f"  {event['region']:<16} answers after {event['seconds']:.2f} s", flush=True)
        elif event["event"] == "ready":
            print(f"The world is up at {event['url']} after {time.monotonic() - started:.2f} s.", flush=True)
            for reason in event["failed"].values():
                print(f"outlast: {reason}", file=sys.stderr, flush=True)
            print(f"Its folder is {config.folder}; it answers {_names(config)}.", flush=True)
            print('In another shell: eval "$(outlast env)" or outlast exec -- PROGRAM. Ctrl-C stops it.', flush=True)
        elif event["event"] == "notice":
            print(f"outlast: {event['text']}", file=sys.stderr, flush=True)
        elif event["event"] == "crashed":
            name = event["region"]
            print(
                f"The Region {name} crashed ({event['reason']}); `outlast restart {name}` starts it again.", flush=True
            )
        elif event["event"] == "failed":
            print(f"outlast: {event['reason']}", file=sys.stderr, flush=True)


def _names(config: WorldConfig) -> str:
    dns = f"DNS on port {config.dns_port}"
    return f"{dns} and HTTPS on port {config.https_port or config.port} of each Region's address"


if __name__ == "__main__":
    sys.exit(main())
