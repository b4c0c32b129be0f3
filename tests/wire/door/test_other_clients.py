"""Clients that are not botocore: AWS's common runtime (SigV4A) and the JavaScript SDK."""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ACCESS_KEY, SECRET, World
from tests.wire.door.raw import JSON, Answer, Sent, send


def asymmetric(
    path: str = "/",
    *,
    regions: str,
    service: str = "dynamodb",
    body: bytes = b"{}",
    presigned: bool = False,
    key: tuple[str, str, str | None] = (ACCESS_KEY, SECRET, None),
    shift_s: float = 0,
) -> Sent:
    """A request signed with SigV4A by AWS's common runtime."""
    auth = pytest.importorskip("awscrt.auth")
    http = pytest.importorskip("awscrt.http")
    headers = http.HttpHeaders()
    headers.add("Host", "orders.example.com")
    if not presigned:
        headers.add("X-Amz-Target", "DynamoDB_20120810.ListTables")
        headers.add("Content-Type", JSON)
        headers.add("Content-Length", str(len(body)))
    request = http.HttpRequest("GET" if presigned else "POST", path, headers, None if presigned else io.BytesIO(body))
    kind = auth.AwsSignatureType
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC,
        signature_type=kind.HTTP_REQUEST_QUERY_PARAMS if presigned else kind.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static(*key),
        region=regions,
        service=service,
        date=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=shift_s),
        expiration_in_seconds=60 if presigned else None,
    )
    auth.aws_sign_request(request, config).result(10)
    return Sent(request.method, request.path, dict(request.headers), b"" if presigned else body)


def asked(world: World, request: Sent, region: str) -> Answer:
    return send(world, request, region)


def test_one_signature_holds_in_every_region_of_its_set(world: World) -> None:
    request = asymmetric(regions="us-east-1,us-west-2")
    for region in ("us-east-1", "us-west-2"):
        assert asked(world, request, region).status == 200, region
    refused = asked(world, request, "eu-west-1")
    assert (refused.status, refused.code) == (400, "InvalidSignatureException")
    everywhere = asymmetric(regions="*")
    assert {asked(world, everywhere, region).status for region in world.config.regions} == {200}
    assert asked(world, asymmetric(regions="us-*"), "us-east-2").status == 200


def test_an_asymmetric_signature_covers_its_request(world: World) -> None:
    request = asymmetric(regions="*")
    for bad in (
        Sent(request.method, "/x", request.headers, request.body),
        Sent(request.method, request.target, request.headers, b"[]"),
        request.having(host="other.example.com"),
        request.having(x_amz_region_set="us-east-1"),
        asymmetric(regions="*", key=(ACCESS_KEY, "wrong", None)),
        asymmetric(regions="*", shift_s=-400),
    ):
        answer = asked(world, bad, "us-east-1")
        assert answer.status in (400, 404), bad
        assert answer.code in ("InvalidSignatureException", "UnknownOperationException")
    other = asked(world, asymmetric(regions="*", service="sts"), "us-east-1")
    assert other.code == "InvalidSignatureException"


def test_an_asymmetric_signature_of_a_session(world: World) -> None:
    given = world.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert asked(world, asymmetric(regions="*", key=key), "us-west-2").status == 200
    without = (given["AccessKeyId"], given["SecretAccessKey"], None)
    assert asked(world, asymmetric(regions="*", key=without), "us-west-2").code == "UnrecognizedClientException"


def test_an_asymmetric_presigned_url(world: World) -> None:
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = asymmetric(path, regions="us-*", service="sts", presigned=True)
    assert asked(world, request, "us-west-2").status == 200
    assert asked(world, request, "eu-west-1").status == 403
    changed = Sent(request.method, request.target.replace("us-%2A", "%2A"), request.headers)
    assert changed.target != request.target
    assert asked(world, changed, "eu-west-1").status == 403


SCRIPT = """
const { DynamoDBClient, ListTablesCommand, DescribeTableCommand } = require("@aws-sdk/client-dynamodb");
const { S3Client, PutObjectCommand, GetObjectCommand } = require("@aws-sdk/client-s3");
(async () => {
  const dynamodb = new DynamoDBClient({});
  const tables = await dynamodb.send(new ListTablesCommand({}));
  let error = "";
  try { await dynamodb.send(new DescribeTableCommand({ TableName: "no-such-table" })); } catch (e) { error = e.name; }
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: "js/ü 1", Body: "from js" }));
  const got = await s3.send(new GetObjectCommand({ Bucket: process.env.BUCKET, Key: "js/ü 1" }));
  const body = await got.Body.transformToString();
  console.log(JSON.stringify({ tables: Array.isArray(tables.TableNames), error, body }));
})();
"""


def javascript_modules() -> str:
    """Where the JavaScript SDK is installed, if it is: OUTLAST_NODE_MODULES or NODE_PATH."""
    for folder in (os.environ.get("OUTLAST_NODE_MODULES", ""), *os.environ.get("NODE_PATH", "").split(":")):
        if folder and (Path(folder) / "@aws-sdk" / "client-dynamodb").is_dir():
            return folder
    return ""


@pytest.mark.skipif(
    shutil.which("node") is None or not javascript_modules(),
    reason="OUTLAST_NODE_MODULES names no folder with @aws-sdk/client-dynamodb and client-s3, or there is no node",
)
def test_the_javascript_sdk(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="from-javascript")
    environ = {
        **world.environ(),
        "NODE_PATH": javascript_modules(),
        "NODE_EXTRA_CA_CERTS": str(world.folder / "ca.pem"),
        "BUCKET": "from-javascript",
    }
    done = subprocess.run(["node", "-e", SCRIPT], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said == {"tables": True, "error": "ResourceNotFoundException", "body": "from js"}
    s3.delete_object(Bucket="from-javascript", Key="js/ü 1")
    s3.delete_bucket(Bucket="from-javascript")
