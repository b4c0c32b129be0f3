"""What an enclosed function sees and reaches, whatever it tries; and what is said where there is no enclosure."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from outlast.cloud.enclosure import kernel, landlock
from outlast.cloud.enclosure.room import LOW_NUMBERS, PID_MAX, USER_NAMESPACES, counts_processes
from outlast.cloud.enclosure.ways import Way
from outlast.cloud.runtime.cell import CACHE_MB, MOST_PROCESSES, Cell
from outlast.cloud.runtime.host import Host, Outside
from tests.unit.lambda_.test_runtime_host import call, launch

pytestmark = pytest.mark.asyncio(loop_scope="module")
INSIDE = "127.77.0.5"
PACKAGES = [Path(sys.prefix).parts[2]] if sys.prefix.startswith("/tmp/") else []
"""What of the packages' own path is seen in /tmp where they lie below it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Host, Path, list[str]]]:
    """A host whose world lies in a folder with a secret, and whose only way leads to a greeting."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "keys.json").write_text("SECRET")
    (folder / "ca.pem").write_text("AUTHORITY\n")
    (folder / "region").mkdir()
    seen: list[str] = []
    greeter = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                connection, peer = greeter.accept()
            except OSError:
                return
            seen.append(peer[0])
            connection.sendall(b"greetings")
            connection.close()

    threading.Thread(target=greet, daemon=True).start()

    async def serve(listening: socket.socket) -> asyncio.Server:
        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"at home")
            await writer.drain()
            writer.close()

        return await asyncio.start_server(answer, sock=listening)

    port = greeter.getsockname()[1]
    ways = (Way("127.0.0.1", 8443, port), Way(INSIDE, 443, 1))
    cell = Cell((INSIDE,), str(folder / "ca.pem"), ways, (str(folder),))
    host = Host(lambda: 0, Outside(cell, INSIDE, 1, serve), idle_s=300, folder=str(folder / "region"))
    await host.warm()
    if host.bare:
        await host.close()
        pytest.skip(f"this system has no namespaces for us: {host.bare}")
    yield host, folder, seen
    await host.close()
    greeter.close()


async def told(host: Host, body: str, **changes: object) -> object:
    """What a handler of that body returns."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    environment = await launch(host, f"import os, socket, subprocess, sys\ndef handler(e, c):\n{lines}", **changes)
    outcome = await call(environment, {}, 20.0)
    environment.end()
    return json.loads(outcome.payload)


async def test_nothing_of_the_user_can_be_found(place: tuple[Host, Path, list[str]]) -> None:
    host, folder, _ = place
    hidden = (folder / "keys.json", "/etc/shadow", "/etc/hostname", Path.home() / ".bashrc", __file__)
    body = f"""
said = {{}}
for path in {[str(path) for path in hidden]}:
    try:
        said[path] = open(path).read()
    except OSError as error:
        said[path] = type(error).__name__
run = lambda text: subprocess.run(["sh", "-c", text], capture_output=True, text=True).stdout.split()
said["root"] = sorted(os.listdir("/"))
said["world"] = os.path.exists({str(folder)!r})
said["stage"] = os.listdir("/stage")
said["processes"] = [name for name in os.listdir("/proc") if name.isdigit()]
said["programs see"] = run("cat {folder}/keys.json; ls {folder}")
said["authority"] = open(os.environ["SSL_CERT_FILE"]).read()
return said
"""
    said = await told(host, body)
    assert isinstance(said, dict)
    assert "root" in said, said
    assert said.pop("root")
    assert said.pop("processes") == ["1"]
    assert said.pop("world") is False
    assert said.pop("stage") == []
    assert said.pop("programs see") == []
    assert said.pop("authority") == "AUTHORITY\n"
    assert len(said) == len(hidden)
    assert set(said.values()) == {"FileNotFoundError"}, said


async def test_packages_below_the_scratch_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as clone:
        packages = Path(clone) / "site-packages"
        packages.mkdir()
        (packages / "late.py").write_text("ANSWER = 42\n")
        (Path(clone) / "secret").write_text("SECRET")
        monkeypatch.setenv("PYTHONPATH", str(packages))  # the template takes it over
        host = Host(lambda: 0, Outside(Cell((), "", ()), INSIDE, 1, nobody), idle_s=300, folder=str(tmp_path))
        await host.warm()
        if host.bare:
            await host.close()
            pytest.skip(f"this system has no namespaces for us: {host.bare}")
        body = f"""
said = [open({str(packages / "late.py")!r}).read(), os.listdir({clone!r})]
for path in ({str(packages / "late.py")!r}, "/tmp/mine"):
    try:
        open(path, "a").close()
        said.append("written")
    except OSError as error:
        said.append(os.strerror(error.errno))
return said
"""
        said = await told(host, body)
        await host.close()
    assert said == ["ANSWER = 42\n", ["site-packages"], "Read-only file system", "written"]


async def nobody(_listening: socket.socket) -> asyncio.Server:
    """No one is asked."""
    raise AssertionError


async def test_only_its_own_scratch_can_be_written(place: tuple[Host, Path, list[str]]) -> None:
    host, _, _ = place
    body = """
said = {"task": os.getcwd(), "home": os.environ["HOME"], "uid": os.getuid()}
for path in ("/tmp/x", "/var/task/x", "/x", "/usr/x", "/etc/x", "/dev/x", sys.prefix + "/x", "/stage/x"):
    try:
        open(path, "w").close()
        said[path] = "written"
    except OSError as error:
        said[path] = "refused"
said["mine"] = [name for name in os.listdir("/tmp") if name not in PACKAGES]
return said
""".replace("PACKAGES", repr(PACKAGES))
    refused = ("/var/task/x", "/x", "/usr/x", "/etc/x", "/dev/x", f"{sys.prefix}/x", "/stage/x")
    expected = {"task": "/var/task", "home": "/tmp", "uid": 993, "/tmp/x": "written", "mine": ["x"]}
    for _ in range(2):
        assert await told(host, body) == {**expected, **dict.fromkeys(refused, "refused")}


async def test_scratch_files_together_have_the_size_that_was_asked_for(place: tuple[Host, Path, list[str]]) -> None:
    host, folder, _ = place
    body = """
import errno
room = os.statvfs("/tmp")
written = 0
try:
    for number in range(100):
        with open(f"/tmp/{number}", "wb", buffering=0) as file:
            for _ in range(8):
                written += file.write(bytes(1 << 20))
except OSError as error:
    said = errno.errorcode[error.errno]
else:
    said = "no end"
return [said, written >> 20, room.f_blocks * room.f_frsize >> 20, room.f_files]
"""
    assert await told(host, body, storage_mb=20) == ["ENOSPC", 20, 20, 20 * 64]
    assert not [path for path in (folder / "region").rglob("scratch/*/*") if path.is_file()]


async def test_compiled_code_is_kept_for_the_next_and_cannot_fill_the_disk(place: tuple[Host, Path, list[str]]) -> None:
    host, folder, _ = place
    body = """
room, kept = os.statvfs("/var/cache/python"), os.path.exists("/var/cache/python/kept")
open("/var/cache/python/kept", "w").close()
return [room.f_blocks * room.f_frsize >> 20, kept]
"""
    assert [await told(host, body) for _ in range(2)] == [[CACHE_MB, False], [CACHE_MB, True]]
    assert not list((folder / "region").rglob("kept"))


@pytest.mark.skipif(not counts_processes(), reason="this kernel counts no processes by namespace")
async def test_processes_of_a_function_are_counted(place: tuple[Host, Path, list[str]]) -> None:
    host, _, _ = place
    outside = of_the_machine(PID_MAX)
    script = """
import os, signal
forked = 0
try:
    while forked < 1500:
        if os.fork() == 0:
            os.close(1)
            signal.pause()
        forked += 1
except BlockingIOError:
    pass
print(forked)
"""
    body = f"""
small = [sys.executable, "-I", "-S", "-c", {script!r}]
return int(subprocess.run(small, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
"""
    forked = await told(host, body)
    assert isinstance(forked, int)
    assert MOST_PROCESSES - 2 <= forked < MOST_PROCESSES + LOW_NUMBERS
    assert of_the_machine(PID_MAX) == outside


async def test_the_machine_cannot_be_changed_through_its_settings(place: tuple[Host, Path, list[str]]) -> None:
    host, _, _ = place
    settings = ("sys/kernel/hostname", "sys/kernel/core_pattern", "sysrq-trigger", "self/oom_score_adj")
    body = f"""
said = {{}}
for name in {settings}:
    try:
        os.close(os.open("/proc/" + name, os.O_WRONLY))
        said[name] = "open"
    except OSError as error:
        said[name] = "refused"
return said
"""
    assert await told(host, body) == dict.fromkeys(settings, "refused")


async def test_privileges_cannot_be_had_again_by_a_namespace_of_users(place: tuple[Host, Path, list[str]]) -> None:
    host, _, _ = place
    allowed_outside = of_the_machine(USER_NAMESPACES)
    body = f"import ctypes\nreturn ctypes.CDLL(None).unshare({kernel.CLONE_NEWUSER})"
    assert await told(host, body) == -1
    assert of_the_machine(USER_NAMESPACES) == allowed_outside


def of_the_machine(setting: str) -> str:
    return Path(setting).read_text()


async def test_there_is_no_way_back_to_what_was_hidden(place: tuple[Host, Path, list[str]]) -> None:
    """Unmounting, new namespaces, other processes' roots, and privileges of programs."""
    host, folder, _ = place
    body = f"""
text = '''
umount -l /stage; ls /stage
unshare -Urm sh -c "umount -l /stage; umount -l {folder}; umount -l /proc; ls /stage {folder}"
ls /proc/1/root/
grep CapBnd /proc/self/status
'''
return subprocess.run(["sh", "-c", text], capture_output=True, text=True).stdout.split()
"""
    said = await told(host, body)
    assert isinstance(said, list)
    assert "keys.json" not in said
    assert "code" not in said
    assert said[-1] == "0000000000000000"


async def test_only_the_ways_lead_out(place: tuple[Host, Path, list[str]]) -> None:
    host, _, seen = place
    outside = socket.create_server(("127.0.0.1", 0))
    body = f"""
def ask(host, port):
    try:
        with socket.create_connection((host, port), 5) as c:
            return c.recv(100).decode()
    except OSError as error:
        return type(error).__name__
with open("/etc/resolv.conf") as names:
    first = names.readline().split()
doors = [("127.0.0.1", 8443), ({INSIDE!r}, 443), ("127.0.0.1", {outside.getsockname()[1]}), ("192.0.2.1", 80)]
return [*(ask(*door) for door in doors), first]
"""
    said = await told(host, body)
    outside.close()
    assert said == ["greetings", "at home", "ConnectionRefusedError", "OSError", ["nameserver", INSIDE]]
    assert seen == ["127.0.0.1"]


async def test_functions_do_not_see_one_another(place: tuple[Host, Path, list[str]]) -> None:
    host, _, _ = place
    sleeper = await launch(host, "import time\nopen('/tmp/mine', 'w').close()\ndef handler(e, c): time.sleep(60)")
    body = """
signalled = []
for pid in range(2, 300):
    try:
        os.kill(pid, 9)
        signalled.append(pid)
    except ProcessLookupError:
        pass
return [signalled, [name for name in os.listdir("/tmp") if name not in PACKAGES], os.listdir("/var/cache")]
""".replace("PACKAGES", repr(PACKAGES))
    assert await told(host, body) == [[], [], ["python"]]
    assert sleeper.alive
    sleeper.end()


async def test_where_there_is_no_enclosure_it_is_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    missing = Cell((INSIDE,), str(tmp_path / "no-such-authority.pem"), ())
    host = Host(lambda: 0, Outside(missing))
    with caplog.at_level(logging.WARNING, "outlast.runtime"):
        environment = await launch(host, "def handler(e, c): return 1")
    assert (await call(environment, {})).payload == b"1"
    assert "No such file" in host.bare
    assert "functions run without an enclosure" in caplog.text
    await host.close()


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
async def test_without_an_enclosure_files_are_shut_off_still(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("SECRET")
    (tmp_path / "ca.pem").write_text("AUTHORITY")
    (tmp_path / "region").mkdir()
    cell = Cell((INSIDE,), str(tmp_path / "ca.pem"), ())
    host = Host(lambda: 0, Outside(cell), folder=str(tmp_path / "region"), enclose=False)
    body = f"""
import tempfile, boto3
said = {{}}
for path in {[str(path) for path in (tmp_path / "keys.json", "/etc/shadow", __file__)]}:
    try:
        said[path] = open(path).read()
    except OSError as error:
        said[path] = type(error).__name__
for path in ("/tmp", {str(tmp_path)!r}, os.environ["LAMBDA_TASK_ROOT"]):
    try:
        open(path + "/x", "w").close()
        said[path] = "written"
    except OSError as error:
        said[path] = type(error).__name__
with tempfile.NamedTemporaryFile("w") as file:
    file.write("mine")
shown = subprocess.run(["cat", {str(tmp_path / "keys.json")!r}, {str(tmp_path / "ca.pem")!r}], capture_output=True)
try:
    os.kill(os.getppid(), 0)
    said["signals"] = "sent"
except PermissionError as error:
    said["signals"] = "PermissionError"
client = boto3.client("sts", region_name="us-east-1")
return [sorted(set(said.values())), shown.stdout.decode(), client.meta.region_name]
"""
    try:
        said = await told(host, body)
    finally:
        await host.close()
    assert isinstance(said, list)
    assert said[1:] == ["AUTHORITY", "us-east-1"]
    assert said[0] == ["PermissionError"] or (landlock.version() < 6 and said[0] == ["PermissionError", "sent"])
