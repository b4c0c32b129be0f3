"""`python -m bench.functions`: REST API -> function -> transaction over three tables, beside a peer in the same run.

Ours is measured with everything on: the request is signed and authorised (AWS_IAM), the function has its role's
credentials and its own policy is judged on every item, writes are encrypted and synced. Cold starts are measured too.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from bench import peers, wrk

REGION = "us-east-1"
TABLES = ("customers", "products", "orders")
REQUESTS = 4000
HANDLER = """
import json
import boto3

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    order = json.loads(event["body"])
    dynamodb.transact_write_items(TransactItems=[
        {"ConditionCheck": {"TableName": "customers", "Key": {"id": {"S": order["customer"]}},
                            "ConditionExpression": "attribute_exists(id)"}},
        {"Update": {"TableName": "products", "Key": {"id": {"S": order["product"]}},
                    "UpdateExpression": "SET sold = :o", "ExpressionAttributeValues": {":o": {"S": order["id"]}}}},
        {"Put": {"TableName": "orders", "Item": {"id": {"S": order["id"]}, "customer": {"S": order["customer"]}}}},
    ])
    return {"statusCode": 201, "headers": {"Content-Type": "application/json"}, "body": json.dumps(order)}
"""
ALLOWED = [
    "dynamodb:ConditionCheckItem", "dynamodb:UpdateItem", "dynamodb:PutItem",
    "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents",
]  # fmt: skip


def client(url: str, service: str) -> Any:
    """A boto3 client of the cloud under test."""
    session: Any = boto3.session.Session()
    return session.client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=peers.KEY[0],
        aws_secret_access_key=peers.KEY[1],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )


def archive() -> bytes:
    """The function's package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("app.py", HANDLER)
    return buffer.getvalue()


def prepare(name: str, url: str) -> tuple[str, str]:
    """Make tables, role, function and API; the API's id and the function's ARN."""
    variables: dict[str, str] = {}
    dynamodb, iam, functions, gateway = (client(url, name) for name in ("dynamodb", "iam", "lambda", "apigateway"))
    for table in TABLES:
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    for table in TABLES:
        dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    for number in range(100):
        dynamodb.put_item(TableName="customers", Item={"id": {"S": f"c{number}"}})
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="orders", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": ALLOWED, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="orders", PolicyName="orders", PolicyDocument=policy)
    if name != "Outlast":  # the peer's functions look for it at its default port
        variables = {"AWS_ENDPOINT_URL": url}
    made = functions.create_function(
        FunctionName="orders", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": archive()},
        Timeout=20, MemorySize=256, Environment={"Variables": variables},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="orders", WaiterConfig={"Delay": 1})
    api = gateway.create_rest_api(name="orders", endpointConfiguration={"types": ["REGIONAL"]})
    root = gateway.get_resources(restApiId=api["id"])["items"][0]["id"]
    where = {
        "restApiId": api["id"],
        "resourceId": gateway.create_resource(restApiId=api["id"], parentId=root, pathPart="orders")["id"],
        "httpMethod": "POST",
    }
    gateway.put_method(**where, authorizationType="AWS_IAM")
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{made['FunctionArn']}/invocations"
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api["id"], stageName="live")
    functions.add_permission(
        FunctionName="orders", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    return api["id"], made["FunctionArn"]


def request(url: str, path: str, host: str, body: bytes) -> bytes:
    """A signed request as it goes over the wire."""
    headers = {"host": host, "content-type": "application/json"}
    made = AWSRequest("POST", f"http://{host}{path}", data=body, headers=headers)
    SigV4Auth(Credentials(*peers.KEY), "execute-api", REGION).add_auth(made)
    lines = [f"POST {path} HTTP/1.1".encode()]
    lines += [f"{name}: {value}".encode() for name, value in made.headers.items()]
    lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def requests_for(name: str, url: str, api: str) -> list[bytes]:
    """Orders for the API, each with an id of its own."""
    host = urlsplit(url).netloc
    path = (
        f"/_aws/execute-api/{api}/live/orders" if name == "Outlast" else f"/restapis/{api}/live/_user_request_/orders"
    )
    return [
        request(
            url, path, host,
            json.dumps({"id": f"o{number}", "customer": f"c{number % 100}", "product": f"p{number}"}).encode(),
        )
        for number in range(REQUESTS)
    ]  # fmt: skip


def send(url: str, raw: bytes) -> tuple[int, float]:
    """Send one request on a connection of its own; its status and how long it took in milliseconds."""
    import socket

    began = time.perf_counter()
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), 30) as connection:
        connection.sendall(raw)
        head = connection.recv(65_536)
    return int(head.split(b" ", 2)[1]), (time.perf_counter() - began) * 1000


def cold_starts(name: str, url: str, raw: Sequence[bytes], count: int = 5) -> list[float]:
    """Milliseconds of requests that met no warm worker: the function changes before each."""
    functions = client(url, "lambda")
    found = []
    for number in range(count):
        functions.update_function_configuration(
            FunctionName="orders",
            Environment={
                "Variables": {"NUMBER": str(number), **({} if name == "Outlast" else {"AWS_ENDPOINT_URL": url})}
            },
        )
        functions.get_waiter("function_updated_v2").wait(FunctionName="orders", WaiterConfig={"Delay": 1})
        status, took_ms = send(url, raw[number])
        found.append(took_ms if status == 201 else float("nan"))
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds that a process and its descendants have used."""
    ticks = 0
    for each in (pid, *peers.children(pid)):
        try:
            with open(f"/proc/{each}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def give_boto3(environment: Path) -> None:
    """The peer's functions run in its own environment, which lacks the SDK that Lambda has."""
    subprocess.run([str(environment / "bin" / "pip"), "install", "-q", "boto3"], check=True, capture_output=True)


def measure(name: str, seconds: float, connections: int) -> None:
    """Start one cloud, prepare it, measure and print."""
    if name == "ministack":
        give_boto3(peers.python_package("ministack"))
    with peers.ALL[name]() as running:
        api, _arn = prepare(running.name, running.url)
        raw = requests_for(running.name, running.url, api)
        status, first_ms = send(running.url, raw[0])
        print(f"{running.name}: first call {first_ms:.0f} ms, status {status}", flush=True)
        cold = cold_starts(running.name, running.url, raw)
        wrk.run(running.url, raw, connections=connections, seconds=2)
        before = cpu_s(running.pid)
        measured = wrk.run(running.url, raw, connections=connections, seconds=seconds, start=len(raw) // 2)
        spent = cpu_s(running.pid) - before
        cpu_ms = spent / max(1.0, measured.per_s * seconds) * 1000
        print(
            f"{running.name}: {measured.per_s:,.0f}/s at {connections} connections, p50 {measured.p50_ms:.1f} ms, "
            f"p99 {measured.p99_ms:.1f} ms, failed {measured.failed}, CPU {cpu_ms:.2f} ms a request, "
            f"cold start {statistics.median(cold):.0f} ms, memory {running.resident_mb():.0f} MB",
            flush=True,
        )


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.functions", description=__doc__)
    parser.add_argument("--peers", default="outlast,ministack")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()
    wrk.require()
    for name in arguments.peers.split(","):
        try:
            measure(name, arguments.seconds, arguments.connections)
        except peers.NotHere as error:
            print(f"{name}: {error}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
