"""curl signs for itself: `--aws-sigv4`, a client that nobody wrote with AWS's SDKs in mind.

https://curl.se/docs/manpage.html#--aws-sigv4
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid

import pytest

from tests.conftest import ACCESS_KEY, SECRET, World

EAST = "us-east-1"


def version() -> tuple[int, ...]:
    """Of the curl that is here; nothing when there is none."""
    if shutil.which("curl") is None:
        return ()
    shown = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"curl (\d+)\.(\d+)", shown)
    return () if found is None else (int(found[1]), int(found[2]))


pytestmark = pytest.mark.skipif(version() < (7, 88), reason="needs a curl that signs all of a request's headers (7.88)")


def curl(world: World, service: str, path: str, *words: str, secret: str = SECRET) -> tuple[int, str]:
    """Status and body of one request, signed by curl, at AWS's name for the service."""
    name, port = f"{service}.{EAST}.amazonaws.com", world.config.port
    command = [
        "curl", "-sS", "--max-time", "20", "--cacert", str(world.folder / "ca.pem"), "-w", "\n%{http_code}",
        "--resolve", f"{name}:{port}:{world.config.hosts[EAST]}", "--aws-sigv4", f"aws:amz:{EAST}:{service}",
        "--user", f"{ACCESS_KEY}:{secret}", *words, f"https://{name}:{port}{path}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_curl_calls_dynamodb(world: World) -> None:
    words = ("-H", "X-Amz-Target: DynamoDB_20120810.ListTables", "-H", "Content-Type: application/x-amz-json-1.0",
             "-d", '{"Limit": 1}')  # fmt: skip
    status, body = curl(world, "dynamodb", "/", *words)
    assert (status, "TableNames" in json.loads(body)) == (200, True), body
    status, body = curl(world, "dynamodb", "/", *words, secret="wrong")
    assert (status, "InvalidSignatureException" in body) == (400, True)


def test_curl_keeps_objects_in_s3(world: World) -> None:
    """S3 wants to be told what the signature says of the payload; older curls say nothing unless they are told."""
    bucket, loose = f"curl-{uuid.uuid4().hex[:12]}", ("-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    for path, words, wanted in (
        (f"/{bucket}", ("-X", "PUT"), (200, "")),
        (f"/{bucket}/a%20key", ("-X", "PUT", "-H", "x-amz-meta-by: curl", "-d", "the object"), (200, "")),
        (f"/{bucket}/a%20key", (), (200, "the object")),
        (f"/{bucket}/a%20key", ("-X", "DELETE"), (204, "")),
        (f"/{bucket}", ("-X", "DELETE"), (204, "")),
    ):
        assert curl(world, "s3", path, *words, *loose) == wanted
