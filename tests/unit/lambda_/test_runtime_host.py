"""The template, its workers and what they may see; with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from outlast.cloud.runtime.environment import Environment, Fate, Outcome
from outlast.cloud.runtime.frames import Invocation
from outlast.cloud.runtime.host import BadArchive, Host, Launch

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
VARIABLES = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_REGION": "us-east-1", "PATH": "/usr/bin:/bin", "TZ": ":UTC"}


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(f"{name}.py", text)
    return buffer.getvalue()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Host]:
    host = Host(lambda: 1_700_000_000_000, idle_s=300)
    yield host
    await host.close()


@pytest_asyncio.fixture(loop_scope="module")
async def host(shared: Host) -> AsyncIterator[Host]:
    """One template for all tests of the module; its workers end with each test."""
    yield shared
    for environment in list(shared._environments.values()):
        environment.end()
    await ended(shared)


async def launch(host: Host, text: str, **changes: object) -> Environment:
    name = f"code-{abs(hash(text))}"
    await host.unpack(name, lambda: archive(app=text))
    values: dict[str, object] = {"handler": "app.handler", "memory_mb": 128, "variables": VARIABLES}
    return await host.launch(Launch(code=name, **{**values, **changes}))  # type: ignore[arg-type]


async def call(environment: Environment, event: object, timeout_s: float = 5.0) -> Outcome:
    return await environment.invoke(Invocation("req-1", ARN, timeout_s), json.dumps(event).encode())


async def test_a_handler_answers_and_its_prints_become_lines(host: Host) -> None:
    text = "def handler(e, c):\n print('hi', e['n'])\n return {'n': e['n'] + 1, 'f': c.function_name}"
    environment = await launch(host, text)
    outcome = await call(environment, {"n": 1})
    assert json.loads(outcome.payload) == {"n": 2, "f": "f"}
    assert (outcome.fate, outcome.failed, outcome.lines) == (Fate.REPLIED, False, ((1_700_000_000_000, "hi 1"),))
    assert environment.started is not None
    assert environment.started.ok


async def test_an_environment_keeps_its_state_between_events(host: Host) -> None:
    environment = await launch(host, "n = 0\ndef handler(e, c):\n global n\n n += 1\n return n")
    assert [(await call(environment, {})).payload for _ in range(3)] == [b"1", b"2", b"3"]


async def test_an_exception_is_reported_with_its_trace(host: Host) -> None:
    environment = await launch(host, "def handler(e, c):\n raise ValueError('boom')")
    outcome = await call(environment, {})
    body = json.loads(outcome.payload)
    assert outcome.failed
    assert (body["errorType"], body["errorMessage"], body["requestId"]) == ("ValueError", "boom", "req-1")
    assert body["stackTrace"] == ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('boom')\n"]
    assert outcome.lines[0][1].startswith("[ERROR] ValueError: boom\nTraceback (most recent call last):\n")
    assert environment.alive


async def test_a_missing_module_fails_the_start(host: Host) -> None:
    environment = await launch(host, "x = 1", handler="nothing.handler")
    assert environment.started is not None
    assert not environment.started.ok
    assert json.loads(environment.started.body)["errorType"] == "Runtime.ImportModuleError"
    assert not environment.alive


@pytest.mark.parametrize(
    ("text", "handler", "error"),
    [
        ("def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("x = 1", "app", "Runtime.MalformedHandlerName"),
        ("raise KeyError('k')", "app.handler", "KeyError"),
    ],
)
async def test_a_bad_handler_is_named(host: Host, text: str, handler: str, error: str) -> None:
    environment = await launch(host, text, handler=handler)
    assert environment.started is not None
    assert json.loads(environment.started.body)["errorType"] == error


async def test_a_slow_handler_is_ended_at_its_timeout(host: Host) -> None:
    environment = await launch(host, "import time\ndef handler(e, c):\n print('in')\n time.sleep(60)")
    began = time.monotonic()
    outcome = await call(environment, {}, timeout_s=0.3)
    assert outcome.fate is Fate.TIMED_OUT
    assert 0.3 <= time.monotonic() - began < 3
    assert [text for _, text in outcome.lines] == ["in"]
    assert not environment.alive
    await ended(host)


async def until(true: Callable[[], bool], why: str) -> None:
    """Wait for what other processes bring about."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(why)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def exists(path: str) -> bool:
    return Path(path).exists()


async def ended(host: Host) -> None:
    await until(lambda: host.environments == 0, "a worker is still there")


async def test_an_exit_is_told_with_its_status(host: Host) -> None:
    environment = await launch(host, "import os\ndef handler(e, c):\n os._exit(7)")
    outcome = await call(environment, {})
    assert (outcome.fate, outcome.status) == (Fate.EXITED, 7)


async def test_memory_is_bounded(host: Host) -> None:
    environment = await launch(host, "def handler(e, c):\n return len(bytearray(300 << 20))", memory_mb=128)
    assert json.loads((await call(environment, {})).payload)["errorType"] == "MemoryError"
    roomy = await launch(host, "def handler(e, c):\n return len(bytearray(300 << 20)) ", memory_mb=512)
    assert (await call(roomy, {})).payload == str(300 << 20).encode()


async def test_nothing_of_the_region_leaks_into_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAST_SECRET", "do not tell")
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)
    host = Host(lambda: 0)
    text = """
import os, sys

def handler(event, context):
    links = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
    files = {os.readlink(link) for link in links if os.path.exists(link)}
    return {
        "env": sorted(os.environ),
        "files": [name for name in files if name.startswith("/")],
        "out": [name for name in sys.modules if name.startswith("outlast")],
    }
"""
    environment = await launch(host, text)
    os.close(secret)
    seen = json.loads((await call(environment, {})).payload)
    own = {"LAMBDA_TASK_ROOT", "TMPDIR", "HOME"}
    assert set(seen["env"]) == {*VARIABLES, *own}
    assert all(name.startswith(("/dev/null", "/proc/")) for name in seen["files"]), seen["files"]
    assert seen["out"] == []
    await host.close()


@pytest.mark.parametrize("name", ["outlast", "rich", "typer", "orjson", "aws_lambda_powertools", "pytest"])
async def test_what_aws_would_not_have_cannot_be_imported(host: Host, name: str) -> None:
    environment = await launch(host, f"import {name}\ndef handler(e, c): pass")
    assert environment.started is not None
    message = json.loads(environment.started.body)["errorMessage"]
    assert message == f"Unable to import module 'app': No module named '{name}'"


async def test_boto3_and_the_powertools_layer_can_be_imported(host: Host) -> None:
    text = "import boto3\nfrom aws_lambda_powertools import Logger, Metrics\ndef handler(e, c): return boto3.__name__"
    environment = await launch(host, text, layers=("powertools",))
    assert (await call(environment, {})).payload == b'"boto3"'


async def test_decimals_bytes_and_what_cannot_be_marshalled(host: Host) -> None:
    text = """
from decimal import Decimal

def handler(event, context):
    return {1: {"d": Decimal("3.1400"), "s": "é"}, 2: b"raw", 3: object()}[event]
"""
    environment = await launch(host, text)
    assert (await call(environment, 1)).payload == '{"d": 3.1400, "s": "é"}'.encode()
    assert (await call(environment, 2)).payload == b"raw"
    assert json.loads((await call(environment, 3)).payload)["errorType"] == "Runtime.MarshalError"


async def test_log_records_keep_their_lines_together(host: Host) -> None:
    text = "import logging\ndef handler(e, c):\n logging.getLogger().warning('a\\nb')\n print('c\\nd')"
    outcome = await call(await launch(host, text), {})
    texts = [text for _, text in outcome.lines]
    assert texts[0].startswith("[WARNING]\t")
    assert texts[0].endswith("Z\treq-1\ta\nb")
    assert texts[1:] == ["c", "d"]


async def test_more_output_than_a_pipe_holds_does_not_block(host: Host) -> None:
    text = "def handler(e, c):\n for n in range(5000): print('x' * 100)\n return 1"
    outcome = await call(await launch(host, text), {})
    assert outcome.payload == b"1"
    assert len(outcome.lines) == 5000


async def test_a_flood_of_output_does_not_hold_the_region_up(host: Host) -> None:
    environment = await launch(host, "def handler(e, c):\n while True: print('x' * 1000)")
    flooding = asyncio.create_task(call(environment, {}, timeout_s=1.0))
    pauses = []
    while not flooding.done():
        began = time.monotonic()
        await asyncio.sleep(0.001)
        pauses.append(time.monotonic() - began)
    outcome = await flooding
    assert outcome.fate is Fate.TIMED_OUT
    assert len(outcome.lines) == 10_001
    assert "more lines were not kept" in outcome.lines[-1][1]
    assert len(pauses) > 5


async def test_an_answer_that_is_too_large_is_an_error(host: Host) -> None:
    environment = await launch(host, "def handler(e, c): return 'x' * e", memory_mb=512)
    assert not (await call(environment, 6_000_000)).failed
    outcome = await call(environment, 20_000_000)
    assert json.loads(outcome.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert environment.alive


async def test_a_worker_that_speaks_out_of_turn_is_ended(host: Host) -> None:
    text = """
import os, socket

def handler(event, context):
    for fd in range(3, 64):
        try:
            socket.socket(fileno=os.dup(fd)).sendall(b"rubbish" * 1000)
        except OSError:
            pass
    return 1
"""
    environment = await launch(host, text)
    assert (await call(environment, {})).fate is Fate.EXITED
    assert not environment.alive
    await ended(host)


def running(command: str) -> bool:
    """Whether a process of that command line is there; an enclosed program knows its own id only inside."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
    return command in lines


async def test_children_of_a_worker_die_with_it(host: Host) -> None:
    text = """
import subprocess, time

def handler(event, context):
    subprocess.Popen(["sleep", "612.25"], start_new_session=True)
    time.sleep(60)
"""
    slow = asyncio.create_task(call(await launch(host, text), {}, timeout_s=2.0))
    await until(lambda: running("sleep 612.25"), "the child did not start")
    assert (await slow).fate is Fate.TIMED_OUT
    await ended(host)
    await until(lambda: not running("sleep 612.25"), "the child outlived its worker")


async def test_idle_hosts_have_no_process() -> None:
    host = Host(lambda: 0, idle_s=0.1)
    environment = await launch(host, "def handler(e, c): return 1")
    folder = os.readlink(f"/proc/{host.template_pid}/cwd")
    assert exists(folder)
    environment.end()
    await until(lambda: not host.running and not exists(folder), "the template stays")
    again = await launch(host, "def handler(e, c): return 1")
    assert (await call(again, {})).payload == b"1"
    await host.close()


async def test_workers_and_files_go_when_the_region_dies(tmp_path: Path) -> None:
    script = tmp_path / "region.py"
    script.write_text(
        "import asyncio, io, zipfile, os\n"
        "from outlast.cloud.runtime.host import Host, Launch\n"
        "async def main():\n"
        "    b = io.BytesIO()\n"
        "    with zipfile.ZipFile(b, 'w') as z: z.writestr('app.py', 'def handler(e, c): pass')\n"
        "    host = Host(lambda: 0)\n"
        "    await host.unpack('c', b.getvalue)\n"
        "    e = await host.launch(Launch('c', 'app.handler', 128, {}))\n"
        "    print(host.template_pid, os.readlink(f'/proc/{host.template_pid}/cwd'), flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    pid, folder = (await process.stdout.readline()).decode().split()
    process.kill()
    await process.wait()
    await until(lambda: not exists(folder), "the files outlived their Region")
    await until(lambda: gone(int(pid)), "the template outlived its Region")


async def test_a_killed_template_is_replaced(host: Host) -> None:
    environment = await launch(host, "import time\ndef handler(e, c): time.sleep(60)")
    waiting = asyncio.create_task(call(environment, {}))
    await asyncio.sleep(0.05)
    os.kill(host.template_pid, 9)
    assert (await waiting).fate is Fate.EXITED
    again = await launch(host, "def handler(e, c): return 5")
    assert (await call(again, {})).payload == b"5"


async def test_an_archive_that_is_no_zip_is_refused(host: Host) -> None:
    with pytest.raises(BadArchive):
        await host.unpack("bad", lambda: b"not a zip")


async def test_a_cold_start_costs_less_than_an_interpreter_and_a_warm_one_next_to_nothing(host: Host) -> None:
    """Against a baseline of the same moment, so that a busy machine does not matter."""
    await host.warm()
    text = "import boto3\nc = boto3.client('dynamodb', region_name='us-east-1')\ndef handler(e, c): return 1"
    await launch(host, text)
    colds, plains = [], []
    for _ in range(3):
        began = time.perf_counter()
        environment = await launch(host, text)
        colds.append(time.perf_counter() - began)
        began = time.perf_counter()
        program = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
        assert await process.wait() == 0
        plains.append(time.perf_counter() - began)
    assert min(colds) < min(plains) / 2
    warms = []
    for _ in range(100):
        began = time.perf_counter()
        await call(environment, {})
        warms.append(time.perf_counter() - began)
    assert min(warms) < min(colds) / 10
