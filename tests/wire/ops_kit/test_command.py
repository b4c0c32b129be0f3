"""The real command against a real world: every exit status, and credentials that are wrong, unknown or may not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from outlast.cli.main import OPERATOR_MODULES
from outlast.ops import deployment as deployments
from outlast.ops.act.audit import AuditLog
from outlast.ops.deployment import Arc, ClusterEndpoint
from outlast.ops.names import NameServer
from outlast.ops.observe.recording import save
from outlast.ops.sightings import SIDES, Sample
from tests.conftest import World
from tests.unit.ops.fakes import sample_deployment

A, B = "us-east-1", "us-west-2"
VERBS = (
    "status", "watch --seconds 5", "guard --seconds 5", f"evacuate {A} --yes", f"evacuate {A} --yes --offline",
    f"failback {A} --yes", "reconcile", "conflicts", "doctor", "prepare", "deploy", f"replica remove {A} --yes",
    "fault list", f"fault begin gray-failure {A}", "drill gray-failure",
)  # fmt: skip


def home_of(world: World, folder: Path, key: str, secret: str) -> Path:
    """A folder that leads to the world with other keys, and to an application that is deployed there."""
    folder.mkdir()
    shutil.copy(world.folder / "ca.pem", folder)
    described = json.loads((world.folder / "world.json").read_text())
    (folder / "world.json").write_text(json.dumps({**described, "folder": str(folder)}))
    keys = json.loads((world.folder / "keys.json").read_text())
    (folder / "keys.json").write_text(json.dumps({**keys, "access_key_id": key, "secret_access_key": secret}))
    (folder / "keys.json").chmod(0o600)
    endpoints = tuple(ClusterEndpoint(world.config.front_url, region) for region in world.config.regions)
    names = tuple(NameServer(host, world.config.dns_port) for host in world.config.hosts.values())
    made = replace(
        sample_deployment(),
        arc=Arc("arn:cluster", "arn:panel", "arn:rule", endpoints),
        name_servers=names,
        https_port=world.config.port,
        ca_path=str(folder / "ca.pem"),
    )
    deployments.save(made, folder / "deployment-local.json")
    return folder


@pytest.fixture(scope="module")
def intern(world: World) -> Iterator[tuple[str, str]]:
    """The keys of a user who may do nothing."""
    iam = world.client("iam")
    iam.create_user(UserName="intern")
    key = iam.create_access_key(UserName="intern")["AccessKey"]
    yield key["AccessKeyId"], key["SecretAccessKey"]
    iam.delete_access_key(UserName="intern", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="intern")


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    """The whole command."""
    from importlib import import_module

    made = typer.Typer()
    for name in OPERATOR_MODULES:
        module: Any = import_module(name)
        module.register(made, [])
    return made


@pytest.mark.slow
@pytest.mark.parametrize("who", ["wrong", "unknown", "intern"])
def test_credentials_that_will_not_do_are_one_clear_line(
    world: World, app: typer.Typer, tmp_path: Path, intern: tuple[str, str], who: str
) -> None:
    root = json.loads((world.folder / "keys.json").read_text())["access_key_id"]
    keys = {"wrong": (root, "x" * 40), "unknown": ("AKIALOCAL00000000000", "x" * 40), "intern": intern}
    home = home_of(world, tmp_path / "home", *keys[who])
    # One who is known and may nothing: what each verb meets first. The others fail alike at every door.
    for verb in VERBS if who == "wrong" else VERBS[:1] + VERBS[4:5] + VERBS[6:9]:
        done = CliRunner().invoke(app, [*verb.split(), "--home", str(home)])
        told = [line for line in done.stderr.splitlines() if line.startswith("outlast: ")]
        assert (done.exit_code, len(told)) == (1, 1), f"{verb}: {done.exit_code} {done.output} {done.exception!r}"
        blamed = ("ignature", "credentials", "authorized", "Client", "Denied", "token")
        assert any(word in told[0] for word in blamed), (verb, told[0])


def run(*words: str, typed: str = "") -> tuple[int, str]:
    """The command as a process: its exit status, and the last thing that it said."""
    command = [sys.executable, "-m", "outlast.cli.main", *words]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stderr or done.stdout).strip().splitlines()[-1]


@pytest.mark.slow
def test_every_exit_status_is_met(world: World, tmp_path: Path) -> None:
    root = json.loads((world.folder / "keys.json").read_text())
    home = str(home_of(world, tmp_path / "home", root["access_key_id"], root["secret_access_key"]))
    assert run("fault", "list", "--home", str(world.folder))[0] == 0
    code, told = run("doctor", "--home", str(home_of(world, tmp_path / "wrong", root["access_key_id"], "x" * 40)))
    assert (code, told.startswith("outlast: These credentials are refused")) == (1, True)
    code, told = run("evacuate", "eu-west-1", "--home", home)
    assert (code, told) == (2, f"outlast: orders does not run in eu-west-1; it runs in {A}, {B}.")
    log = tmp_path / "audit.jsonl"
    audit = AuditLog(log, "tester")
    for region in (A, B):
        audit.add("evacuate", region=region)
    assert run("audit", "verify", str(log))[0] == 0
    log.write_text(log.read_text().replace(A, "eu-west-1"))
    code, told = run("audit", "verify", str(log))
    assert (code, "entry 1 was changed" in told) == (3, True)
    code, told = run("evacuate", A, "--offline", "--home", home, typed="yes\n")
    assert (code, "nothing was changed" in told) == (4, True)
    both = [
        Sample(1000.0 + at / 2, vantage, region, at > 60) for at in range(160) for vantage in SIDES for region in (A, B)
    ]
    save(tmp_path / "signals.gz", both, (A, B), 10.0)
    assert run("replay", str(tmp_path / "signals.gz"))[0] == 5


@pytest.mark.slow
def test_what_a_verb_cannot_use_is_named_and_nothing_is_begun(world: World, app: typer.Typer, tmp_path: Path) -> None:
    root = json.loads((world.folder / "keys.json").read_text())
    home = str(home_of(world, tmp_path / "home", root["access_key_id"], root["secret_access_key"]))
    for words, code, says in (
        (("fault", "begin", "gray-failure", "mars-1"), 2, "This world has no Region 'mars-1'"),
        (("fault", "begin", "gray-failure", ""), 2, "This world has no Region ''"),
        (("fault", "begin", "gray-failure", A, A), 2, f"{A} is named twice"),
        (("fault", "begin", "gray-failure", A, "--set", "colour=red"), 2, "has no parameter colour"),
        (("fault", "begin", "gray-failure", A, "--set", "error_share=nan"), 1, "error_share must be a number, not nan"),
        (("fault", "end", ""), 2, "There is no fault without an id"),
        (("reconcile", "--region", "mars-1"), 2, "This world has no Region 'mars-1'"),
        (("reconcile", "--region", A, "--region", A), 2, f"{A} is named twice"),
        (("conflicts", "--table", ""), 2, "'' is no name of a table"),
        (("conflicts", "--table", "⚡⚡⚡"), 2, "is no name of a table"),
    ):
        done = CliRunner().invoke(app, [*words, "--home", home])
        told = done.stderr.strip().splitlines()
        assert (done.exit_code, len(told)) == (code, 1), (words, done.output, done.exception)
        assert says in told[0]
    assert not any(
        each["spec"]["kind"] == "gray-failure" for each in world.control("fault-list") if not each["ended_ms"]
    )
