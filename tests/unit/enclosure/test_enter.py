"""Programs in namespaces of their own: what they see, what they cannot reach, what the others do not notice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from outlast.cloud.enclosure import Unable, View, enter, probe
from outlast.cloud.enclosure.run import Isolated
from outlast.cloud.enclosure.ways import Way


def view_at(folder: Path, **more: object) -> View:
    (folder / "ca.pem").write_text("authority")
    return View(("127.66.0.11",), str(folder / "ca.pem"), str(folder / "exec" / "v"), **more)  # type: ignore[arg-type]


def possible() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return not probe(lambda: enter(view_at(Path(folder)), network=True))


needs_namespaces = pytest.mark.skipif(not possible(), reason="this system has no namespaces for us")


def said_by(act: object) -> str:
    """What a child process that ran `act` found out."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(act()).encode())  # type: ignore[operator]
        except BaseException as error:
            os.write(writer, repr(error).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader, "rb") as told:
        return told.read().decode()


@needs_namespaces
def test_only_those_who_entered_see_it(tmp_path: Path) -> None:
    def inside() -> str:
        enter(view_at(tmp_path))
        return Path("/etc/resolv.conf").read_text()

    before = Path("/etc/resolv.conf").read_text()
    assert said_by(inside).startswith("nameserver 127.66.0.11\n")
    assert Path("/etc/resolv.conf").read_text() == before


@needs_namespaces
def test_hidden_folders_look_empty_but_for_what_is_kept(tmp_path: Path) -> None:
    secret = tmp_path / "world"
    (secret / "run" / "code").mkdir(parents=True)
    (secret / "keys.json").write_text("secret")
    (secret / "open.pem").write_text("open")
    (secret / "run" / "code" / "f.py").write_text("code")

    def inside() -> str:
        enter(view_at(tmp_path, hidden=(str(secret),), kept=(str(secret / "run"), str(secret / "open.pem"))))
        code = (secret / "run" / "code" / "f.py").read_text()
        (secret / "run" / "mine").write_text("w")
        try:
            (secret / "new").write_text("x")
        except OSError:
            code += " closed"
        return f"{sorted(os.listdir(secret))} {code} {(secret / 'open.pem').read_text()}"

    assert said_by(inside) == "['open.pem', 'run'] code closed open"
    assert (secret / "keys.json").read_text() == "secret"
    assert (secret / "run" / "mine").read_text() == "w"


@needs_namespaces
def test_an_isolated_program_reaches_its_ways_and_nothing_else(tmp_path: Path) -> None:
    reached, closed = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    seen: list[str] = []

    def answer() -> None:
        connection, peer = reached.accept()
        seen.append(peer[0])
        connection.sendall(connection.recv(100).upper())
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    script = (
        "import socket\n"
        "def ask(host, port):\n"
        "    try:\n"
        "        with socket.create_connection((host, port), 5, source_address=('127.3.0.9', 0)) as c:\n"
        "            c.sendall(b'hello')\n"
        "            return c.recv(100).decode()\n"
        "    except OSError as error:\n"
        "        return type(error).__name__\n"
        f"print(ask('127.0.0.1', 443), ask('127.0.0.1', {closed.getsockname()[1]}), ask('10.255.255.53', 53))\n"
    )
    out = tmp_path / "out"
    command = ["sh", "-c", f'"$0" -c "$1" > {out}; exit 5', sys.executable, script]
    status = Isolated(view_at(tmp_path, alone=True), [Way("127.0.0.1", 443, reached.getsockname()[1])]).run(
        command, os.environ
    )
    thread.join(10)
    assert status == 5
    assert out.read_text().split() == ["HELLO", "ConnectionRefusedError", "OSError"]
    assert seen == ["127.3.0.9"]


@needs_namespaces
def test_questions_for_names_are_relayed(tmp_path: Path) -> None:
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.bind(("127.0.0.1", 0))

    def answer() -> None:
        data, peer = outside.recvfrom(100)
        outside.sendto(data[::-1], peer)

    thread = threading.Thread(target=answer)
    thread.start()
    script = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)\n"
        "s.sendto(b'abc', ('127.0.0.1', 53)); print(s.recv(100).decode())\n"
    )
    out = tmp_path / "out"
    way = Way("127.0.0.1", 53, outside.getsockname()[1], datagrams=True)
    Isolated(view_at(tmp_path, alone=True), [way]).run(
        ["sh", "-c", f'"$0" -c "$1" > {out}', sys.executable, script], os.environ
    )
    thread.join(10)
    assert out.read_text().strip() == "cba"


@needs_namespaces
def test_a_program_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert Isolated(view_at(tmp_path, alone=True), []).run(["no-such-program"], os.environ) == 127
    assert "no-such-program cannot be run" in capfd.readouterr().err


def test_a_probe_tells_why_not() -> None:
    def refuse() -> None:
        raise Unable("unshare: Operation not permitted")

    assert probe(refuse) == "unshare: Operation not permitted"
    assert probe(lambda: None) == ""
    assert probe(lambda: os._exit(3)) != ""


@needs_namespaces
def test_without_privileges_too(tmp_path: Path) -> None:
    view_at(tmp_path)
    script = (
        "import os, sys\n"
        "from outlast.cloud.enclosure import View, enter\n"
        f"enter(View(('127.66.0.11',), {str(tmp_path / 'ca.pem')!r}, {str(tmp_path / 'exec' / 'v')!r}), network=True)\n"
        "print(os.getuid(), open('/etc/resolv.conf').read().split()[1])\n"
    )
    drop = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    if "setpriv" in done.stderr or "not permitted" in done.stderr.lower():
        pytest.skip(f"this system allows no user namespaces: {done.stderr.strip()[-200:]}")
    assert done.stdout.split() == [str(os.getuid()), "127.66.0.11"], done.stderr
