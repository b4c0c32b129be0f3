"""Where a master key comes from: descriptors, variables, commands; each failure is one line that repeats no secret."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import pytest

from outlast.cli import masterkey as sources
from outlast.cli.masterkey import COMMAND_VARIABLE, PASSPHRASE_VARIABLE, Sources, key_of, master_for
from outlast.cloud.world import home, masterkey
from outlast.cloud.world.config import WorldError
from tests.unit.world.test_home import config_at

KEY = bytes(range(32))
PRINTS = f"echo {base64.b64encode(KEY).decode()}"
WORDS = "correct horse battery staple"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masterkey, "COST", {"n": 16, "r": 1, "p": 1})
    for name in sources.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def pipe_with(data: bytes) -> int:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read


@pytest.mark.parametrize("command", [PRINTS, f"echo {KEY.hex()}", f"printf '\\n %s \\n' {KEY.hex().upper()}"])
def test_a_command_prints_the_key(command: str) -> None:
    assert key_of(command) == KEY


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("exit 3", "ended with status 3"),
        ("kill -9 $$", "ended by signal 9"),
        ("no-such-program-at-all 2>/dev/null", "ended with status 127"),
        ("true", "printed nothing"),
        ("", "printed nothing"),
        ("echo s3cret-text", "must print 32 bytes"),
        ("echo AAAA", "must print 32 bytes"),
        (f"{PRINTS}; {PRINTS}", "must print 32 bytes"),
        ("yes s3cret-text", "more than a key"),
        (f"{PRINTS}; exit 1", "ended with status 1"),
    ],
)
def test_a_command_that_gives_none_is_one_line(command: str, says: str) -> None:
    with pytest.raises(WorldError, match=says) as caught:
        key_of(command)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


NAP = f"sleep {300_000 + os.getpid()}"


@pytest.mark.parametrize("command", [f"{NAP} & {NAP}", f"{PRINTS}; exec >&-; {NAP}"], ids=["silent", "printed"])
def test_a_command_that_hangs_is_ended_with_all_that_it_began(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "COMMAND_TIMEOUT_S", 0.3)
    with pytest.raises(WorldError, match=r"did not end within 0\.3 s"):
        key_of(command)
    deadline_s = time.monotonic() + 20
    while mine := [pid for pid in Path("/proc").glob("[0-9]*") if cmdline(pid) == f"{NAP} ".replace(" ", "\0")]:
        assert time.monotonic() < deadline_s, mine
        time.sleep(0.05)


def cmdline(pid: Path) -> str:
    try:
        return (pid / "cmdline").read_text()
    except OSError:
        return ""


def test_a_command_sees_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, WORDS)
    monkeypatch.setenv(COMMAND_VARIABLE, "x")
    assert key_of(f'test -z "${{{PASSPHRASE_VARIABLE}}}${{{COMMAND_VARIABLE}}}" && {PRINTS}') == KEY


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nmore"])
def test_a_descriptors_first_line_is_the_passphrase(end: str) -> None:
    offer = Sources(passphrase_fd=pipe_with((WORDS + end).encode())).offer("passphrase")
    assert offer.secret == WORDS.encode()


@pytest.mark.parametrize(
    ("given", "says"), [(b"", "empty"), (b"\n", "empty"), (b"\xff\xfe\n", "UTF-8"), (b"x" * 5000, "at most 1024")]
)
def test_what_is_no_passphrase_is_one_line(given: bytes, says: str) -> None:
    with pytest.raises(WorldError, match=says):
        Sources(passphrase_fd=pipe_with(given)).offer("passphrase")


def test_a_descriptor_that_is_not_open_is_one_line() -> None:
    with pytest.raises(WorldError, match="descriptor 987: Bad file descriptor"):
        Sources(passphrase_fd=987).offer("passphrase")


def test_a_new_world_has_the_form_that_is_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert master_for(tmp_path, Sources()) is None
    commanded = master_for(tmp_path, Sources(command=PRINTS))
    assert commanded is not None
    assert commanded.key == KEY
    monkeypatch.setenv(PASSPHRASE_VARIABLE, WORDS)
    made = master_for(tmp_path, Sources())
    assert made is not None
    assert masterkey.form_of(made.entry) == "passphrase"
    with pytest.raises(WorldError, match="not both"):
        master_for(tmp_path, Sources(command=PRINTS))


def test_a_world_with_its_key_in_the_file_takes_no_other(tmp_path: Path) -> None:
    home.make(config_at(tmp_path))
    assert master_for(tmp_path, Sources()) is None
    for given in (Sources(command=PRINTS), Sources(passphrase_fd=pipe_with(b"long enough\n"))):
        with pytest.raises(WorldError, match=r"stands in its keys\.json; `outlast rotate-keys` changes that"):
            master_for(tmp_path, given)


def test_a_world_with_a_command_needs_it_named(tmp_path: Path) -> None:
    made = home.make(config_at(tmp_path), master=master_for(tmp_path, Sources(command=PRINTS)))
    again = master_for(tmp_path, Sources(command=f"echo {KEY.hex()}"))
    assert again is not None
    assert again.key == made.master_key == KEY
    with pytest.raises(WorldError, match="comes from a command: name it by --master-key-command or in OUTLAST_"):
        master_for(tmp_path, Sources())
    with pytest.raises(WorldError, match="The command gave another master key"):
        master_for(tmp_path, Sources(command=f"echo {bytes(32).hex()}"))
    with pytest.raises(WorldError, match="comes from a command"):
        master_for(tmp_path, Sources(passphrase_fd=pipe_with(b"long enough\n")))
