"""A world whose master key is made of a passphrase, then comes from a command: as a user starts it, and loses it."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import World, start_world, stop_world
from tests.wire.world.test_secrets import processes_of
from tests.wire.world.test_world import outlast, status_of, wait_until

WORDS = "correct horse battery staple"
PASSPHRASE = {"OUTLAST_PASSPHRASE": WORDS}
OPTIONS = ("--region", "us-east-1", "--https-port", "0")
TABLE = {
    "TableName": "kept",
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def put(world: World) -> None:
    items = world.client("dynamodb")
    items.create_table(**TABLE)
    items.get_waiter("table_exists").wait(TableName="kept", WaiterConfig={"Delay": 1})
    items.put_item(TableName="kept", Item={"p": {"S": "a"}, "v": {"S": "b"}})


def is_there(world: World) -> bool:
    key = {"p": {"S": "a"}}
    return bool(world.client("dynamodb").get_item(TableName="kept", Key=key, ConsistentRead=True).get("Item"))


def refusal(folder: Path, **variables: str) -> str:
    """The one line with which the world does not start."""
    done = outlast("up", "--detach", "--home", str(folder), "--port", "0", "--network", "127.93.7", **variables)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    return done.stderr


@pytest.mark.timeout(300)
def test_a_passphrase_then_a_command(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    secret = tmp_path / "key"
    world = start_world(folder, *OPTIONS, **PASSPHRASE)
    try:
        put(world)
        for pid in processes_of(world):
            for name in ("cmdline", "environ"):
                assert WORDS.encode() not in Path(f"/proc/{pid}/{name}").read_bytes(), (pid, name)
        world.kill("us-east-1")
        wait_until(lambda: status_of(world, "us-east-1") == "down")
        done = outlast("restart", "us-east-1", "--home", str(folder))  # nobody is asked again
        assert done.returncode == 0, done.stderr
        assert is_there(world)
    finally:
        stop_world(world)
    for path in folder.rglob("*"):
        assert not path.is_file() or WORDS.encode() not in path.read_bytes(), path
    assert "not the world's passphrase" in refusal(folder, OUTLAST_PASSPHRASE="wrong horse battery")
    assert "made of a passphrase" in refusal(folder, OUTLAST_MASTER_KEY_COMMAND="echo")
    secret.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    to_command = outlast(
        "rotate-keys", "--home", str(folder), "--new-master-key-command", f"cat {secret}", **PASSPHRASE
    )
    assert to_command.returncode == 0, to_command.stderr
    assert "comes from a command" in to_command.stdout
    assert "--master-key-command" in refusal(folder)
    assert "ended with status 7" in refusal(folder, OUTLAST_MASTER_KEY_COMMAND="exit 7")
    assert "another master key" in refusal(folder, OUTLAST_MASTER_KEY_COMMAND=f"echo {bytes(32).hex()}")
    world = start_world(folder, *OPTIONS, "--master-key-command", f"cat {secret}")
    try:
        assert is_there(world)
    finally:
        stop_world(world)


def at_a_terminal(command: list[str], *answers: str) -> tuple[int, str]:
    """Run a command at a terminal of its own and answer what it asks; its status and what the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown = b""
    waiting = list(answers)
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            if waiting and shown.endswith(b": "):
                os.write(terminal, waiting.pop(0).encode() + b"\n")
                shown += b"\n"
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.timeout(300)
def test_a_terminal_is_asked_and_shows_no_passphrase(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    base = [sys.executable, "-m", "outlast.cli.main"]
    up = [*base, "up", "--detach", "--home", str(folder), "--port", "0", "--network", "127.93.8", *OPTIONS]
    status, shown = at_a_terminal([*up, "--passphrase"], WORDS, WORDS + "x")
    assert (status, "two passphrases differ" in shown) == (1, True), shown
    assert not (folder / "keys.json").exists()
    status, shown = at_a_terminal([*up, "--passphrase"], WORDS, WORDS)
    assert status == 0, shown
    assert WORDS not in shown
    down = subprocess.run([*base, "down", "--home", str(folder)], check=False, capture_output=True, text=True)
    assert down.returncode == 0, down.stderr
    asked = at_a_terminal(up, "wrong horse battery")
    assert asked[0] == 1
    assert asked[1].splitlines()[-1] == "outlast: That is not the world's passphrase."
