"""Unmodified programs at AWS's own names: `outlast exec`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.cloud.enclosure import View, enter, probe
from tests.conftest import World

AWS = str(Path(sys.executable).parent / "aws")
URL = "https://dynamodb.us-east-1.amazonaws.com"


def _possible() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ca.pem").write_text("")
        view = View(("127.0.0.1",), f"{folder}/ca.pem", f"{folder}/exec/v")
        return not probe(lambda: enter(view, network=True))


pytestmark = pytest.mark.skipif(not _possible(), reason="this system has no namespaces for us")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


def execute(world: World, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outlast.cli.main", "exec", "--home", str(world.folder), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environ}
    )


def forms(world: World) -> list[list[str]]:
    """The ways to run a program here: isolated always, plainly where the well-known ports could be bound."""
    plain = [[]] if world.config.https_port == 443 and world.config.dns_port == 53 else []
    return [*plain, ["--isolated"]]


@needs_curl
def test_curl_meets_the_world_at_awss_name(world: World) -> None:
    for form in forms(world):
        done = execute(world, *form, "--", "curl", "-sS", f"{URL}/")
        assert (done.returncode, done.stdout.strip()) == (0, "healthy: dynamodb.us-east-1.amazonaws.com"), done.stderr
        other = execute(world, *form, "--", "curl", "-sS", "https://dynamodb.us-west-2.amazonaws.com/")
        assert "us-west-2" in other.stdout


def test_the_aws_cli_needs_no_endpoint(world: World) -> None:
    bucket = f"exec-{os.getpid()}"
    for form in forms(world):
        done = execute(world, *form, "--", AWS, "dynamodb", "list-tables", "--endpoint-url", URL)
        assert (done.returncode, list(json.loads(done.stdout))) == (0, ["TableNames"]), done.stderr
    for words in (
        ["iam", "list-users"],
        ["s3", "mb", f"s3://{bucket}"],
        ["s3", "cp", "--quiet", "-", f"s3://{bucket}/key"],
        ["s3", "rb", "--force", f"s3://{bucket}"],
    ):
        done = execute(world, *forms(world)[0], "--region", "us-west-2", "--", AWS, *words)
        assert done.returncode == 0, (words, done.stderr)


def test_what_other_libraries_trust_and_ask_is_the_worlds(world: World) -> None:
    script = (
        "import json, os, socket, ssl, urllib.request\n"
        f"print(urllib.request.urlopen({URL + '/ping'!r}).status, socket.gethostbyname('iam.amazonaws.com'))\n"
        "print(sorted(n for n in os.environ if n.startswith('AWS_')))\n"
    )
    for form in forms(world):
        done = execute(world, *form, "--", sys.executable, "-c", script, AWS_PROFILE="work", AWS_SESSION_TOKEN="t")
        assert done.returncode == 0, done.stderr
        first, names = done.stdout.splitlines()
        assert first == f"200 {world.config.hosts['us-east-1']}"
        for absent in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            assert f"'{absent}'" not in names


@needs_curl
def test_an_isolated_program_has_no_other_route(world: World) -> None:
    script = "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler); print(s.server_port, flush=True); s.serve_forever()"  # noqa: E501
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    port = other.stdout.readline().strip()
    try:
        assert subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/"], check=False).returncode == 0
        inside = execute(world, "--isolated", "--", "curl", "-sS", "-m", "5", f"http://127.0.0.1:{port}/")
        assert inside.returncode == 7, inside
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert execute(world, "--isolated", "--", "curl", "-sS", "-m", "5", "https://192.0.2.1/").returncode in (7, 28)
    unknown = execute(world, "--isolated", "--", "curl", "-sS", "-m", "10", "https://www.example.com/")
    assert unknown.returncode == 6
    front = execute(world, "--isolated", "--", "curl", "-sS", world.config.front_url + "/ping")
    assert front.returncode == 0, front.stderr


def test_the_programs_status_and_streams_are_its_own(world: World) -> None:
    for form in forms(world):
        done = execute(world, *form, "--", "sh", "-c", "echo out; echo err >&2; exit 9")
        assert (done.returncode, done.stdout, done.stderr) == (9, "out\n", "err\n")
        assert execute(world, *form, "--", "no-such-program").returncode in (1, 127)
    killed = execute(world, "--isolated", "--", "sh", "-c", "kill -TERM $$")
    assert killed.returncode == 128 + 15


def test_where_the_ports_cannot_be_had_one_line_says_what_to_do(make_world: Callable[..., World]) -> None:
    world = make_world("--https-port", "0", "--region", "us-east-1")
    assert world.config.https_port == 0
    done = execute(world, "--", AWS, "sts", "get-caller-identity")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert "--isolated" in done.stderr
    assert "sysctl" in done.stderr
    isolated = execute(world, "--isolated", "--", AWS, "sts", "get-caller-identity")
    assert (isolated.returncode, isolated.stderr) == (0, "")


def test_a_world_that_is_down_is_told_at_once(tmp_path: Path) -> None:
    done = execute(World(tmp_path), "--", "true")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
