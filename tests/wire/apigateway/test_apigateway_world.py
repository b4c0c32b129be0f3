"""REST APIs on a running world: signed over TLS, through functions to tables, by name and by custom domain name."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tests.conftest import ACCESS_KEY, SECRET, World
from tests.wire.lambda_.made import function, role

ACCOUNT = "111122223333"
ORDER = """
import json, os, boto3
dynamodb = boto3.client("dynamodb")

def handler(event, context):
    order = json.loads(event["body"])
    dynamodb.put_item(TableName=os.environ["TABLE"], Item={"id": {"S": order["id"]}})
    who = event["requestContext"]["identity"]["userArn"]
    return {"statusCode": 201, "body": json.dumps({"id": order["id"], "by": who, "in": os.environ["AWS_REGION"]})}
"""


@dataclass(frozen=True)
class Answer:
    """A response, read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    world: World,
    host: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    signed: bool = False,
    region: str = "us-east-1",
    address: str = "",
    credentials: Any = None,
) -> Answer:
    """One HTTPS request to a Region, by a name that its certificate must bear."""
    config = world.config
    headers = {"Host": host, "Content-Type": "application/json"}
    if signed:
        made = AWSRequest(method, f"https://{host}{path}", data=body, headers=headers)
        keys: Any = credentials or boto3.Session(ACCESS_KEY, SECRET).get_credentials()
        SigV4Auth(keys, "execute-api", region).add_auth(made)
        headers = dict(made.headers.items())
    context = ssl.create_default_context(cafile=str(world.folder / "ca.pem"))
    connection = http.client.HTTPSConnection(host, config.port, timeout=35, context=context)
    connection._create_connection = (  # type: ignore[attr-defined]
        lambda _address, timeout, source: __import__("socket").create_connection(
            (address or config.hosts[region], config.port), timeout
        )
    )
    try:
        connection.request(method, path, body or None, headers)
        reply = connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


@contextlib.contextmanager
def api(world: World, name: str, function_arn: str, region: str = "us-east-1") -> Iterator[str]:
    """An API with a signed POST /orders that a function answers, and GET /ping that answers itself."""
    gateway = world.client("apigateway", region)
    ident: str = gateway.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = gateway.get_resources(restApiId=ident)["items"][0]["id"]
    orders = gateway.create_resource(restApiId=ident, parentId=root, pathPart="orders")["id"]
    ping = gateway.create_resource(restApiId=ident, parentId=root, pathPart="ping")["id"]
    where = {"restApiId": ident, "resourceId": orders, "httpMethod": "POST"}
    gateway.put_method(**where, authorizationType="AWS_IAM")
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    where = {"restApiId": ident, "resourceId": ping, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_method_response(**where, statusCode="200")
    gateway.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_integration_response(
        **where, statusCode="200", responseTemplates={"application/json": f'{{"region": "{region}"}}'}
    )
    gateway.create_deployment(restApiId=ident, stageName="live")
    try:
        yield ident
    finally:
        gateway.delete_rest_api(restApiId=ident)


@contextlib.contextmanager
def ordering(world: World, region: str = "us-east-1") -> Iterator[tuple[str, str]]:
    """A table, a role, a function and an API over them: (API id, table)."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    dynamodb = world.client("dynamodb", region)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    variables = {"Variables": {"TABLE": name}}
    with (
        role(world, name, "dynamodb:PutItem") as arn,
        function(world, name, ORDER, arn, region, Environment=variables, Timeout=20) as functions,
        api(world, name, f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}", region) as ident,
    ):
        functions.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{region}:{ACCOUNT}:{ident}/*",
        )  # fmt: skip
        yield ident, name
    dynamodb.delete_table(TableName=name)


def host_of(ident: str, region: str = "us-east-1") -> str:
    return f"{ident}.execute-api.{region}.amazonaws.com"


def test_an_order_travels_from_https_to_the_table(world: World) -> None:
    with ordering(world) as (ident, table):
        host = host_of(ident)
        answer = request(world, host, "POST", "/live/orders", b'{"id": "o1"}', signed=True)
        assert (answer.status, answer.json["id"]) == (201, "o1")
        assert answer.json["by"] == f"arn:aws:iam::{ACCOUNT}:root"
        assert "Item" in world.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "o1"}})
        unsigned = request(world, host, "POST", "/live/orders", b'{"id": "o2"}')
        assert (unsigned.status, unsigned.json) == (403, {"message": "Missing Authentication Token"})
        wrong = boto3.Session(ACCESS_KEY, "not the secret").get_credentials()
        refused = request(world, host, "POST", "/live/orders", b"{}", signed=True, credentials=wrong)
        assert (refused.status, refused.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
        elsewhere = request(world, host, "POST", "/live/orders", b"{}", signed=True, region="us-west-2",
                            address=world.config.hosts["us-east-1"])  # fmt: skip
        assert elsewhere.status == 403
        assert request(world, host, "GET", "/live/ping").json == {"region": "us-east-1"}
        assert "Item" not in world.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "o2"}})


def test_only_those_who_may_invoke_get_in(world: World) -> None:
    iam = world.client("iam")
    with ordering(world) as (ident, _):
        iam.create_user(UserName="caller")
        key = iam.create_access_key(UserName="caller")["AccessKey"]
        keys = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"]).get_credentials()
        try:
            for _ in range(100):
                denied = request(
                    world, host_of(ident), "POST", "/live/orders", b'{"id": "u"}', signed=True, credentials=keys
                )
                if denied.headers.get("x-amzn-errortype") == "AccessDeniedException":
                    break
                time.sleep(0.05)
            assert denied.status == 403
            arn = f"arn:aws:execute-api:us-east-1:********3333:{ident}/live/POST/orders"
            assert f"is not authorized to perform: execute-api:Invoke on resource: {arn}" in denied.json["Message"]
            allow = {
                "Effect": "Allow",
                "Action": "execute-api:Invoke",
                "Resource": f"arn:aws:execute-api:*:*:{ident}/live/POST/*",
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=policy)
            for _ in range(100):
                allowed = request(
                    world, host_of(ident), "POST", "/live/orders", b'{"id": "u"}', signed=True, credentials=keys
                )
                if allowed.status == 201:
                    break
                time.sleep(0.05)
            assert allowed.json["by"] == f"arn:aws:iam::{ACCOUNT}:user/caller"
        finally:
            with contextlib.suppress(iam.exceptions.NoSuchEntityException):
                iam.delete_user_policy(UserName="caller", PolicyName="p")
            iam.delete_access_key(UserName="caller", AccessKeyId=key["AccessKeyId"])
            iam.delete_user(UserName="caller")


def test_requests_show_in_the_apis_metrics(world: World) -> None:
    with ordering(world) as (ident, name):
        for _ in range(3):
            request(world, host_of(ident), "GET", "/live/ping")
        request(world, host_of(ident), "GET", "/live/gone")
        cloudwatch = world.client("cloudwatch")
        wanted = [{"Name": "ApiName", "Value": name}, {"Name": "Stage", "Value": "live"}]
        now = time.time()
        for _ in range(150):
            found = {
                metric: cloudwatch.get_metric_statistics(
                    Namespace="AWS/ApiGateway", MetricName=metric, Dimensions=wanted, StartTime=now - 300,
                    EndTime=now + 300, Period=60, Statistics=["Sum", "SampleCount"],
                )["Datapoints"]
                for metric in ("Count", "4XXError")
            }  # fmt: skip
            counts = {metric: sum(point["Sum"] for point in points) for metric, points in found.items()}
            if counts == {"Count": 4.0, "4XXError": 1.0}:
                return
            time.sleep(0.1)
        pytest.fail(f"the metrics say {found}")


def test_a_custom_name_serves_both_regions_by_their_addresses(world: World) -> None:
    zone_name = f"{uuid.uuid4().hex[:8]}.example.com"
    name = f"orders.{zone_name}"
    route53 = world.client("route53")
    zone = route53.create_hosted_zone(Name=zone_name, CallerReference=name)["HostedZone"]["Id"]
    try:
        with contextlib.ExitStack() as stack:
            for region in ("us-east-1", "us-west-2"):
                ident, _ = stack.enter_context(ordering(world, region))
                stack.enter_context(named(world, region, name, zone, ident))
            for region in ("us-east-1", "us-west-2"):
                ping = request(world, name, "GET", "/v1/ping", region=region)
                assert (ping.status, ping.json) == (200, {"region": region})
                order = request(world, name, "POST", "/v1/orders", b'{"id": "c"}', signed=True, region=region)
                assert (order.status, order.json["in"]) == (201, region)
                assert request(world, name, "GET", "/ping", region=region).json == {"message": "Forbidden"}
    finally:
        records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        gone = [
            {"Action": "DELETE", "ResourceRecordSet": each} for each in records if each["Type"] not in ("NS", "SOA")
        ]
        if gone:
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": gone})
        route53.delete_hosted_zone(Id=zone)


@contextlib.contextmanager
def named(world: World, region: str, name: str, zone: str, ident: str) -> Iterator[None]:
    """The custom domain name of an API in one Region, with a certificate that ACM has validated by DNS."""
    acm, gateway, route53 = world.client("acm", region), world.client("apigateway", region), world.client("route53")
    certificate = acm.request_certificate(DomainName=name, ValidationMethod="DNS")["CertificateArn"]
    option = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["DomainValidationOptions"][0]
    record = option["ResourceRecord"]
    proof = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": proof}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    for _ in range(200):
        status = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["Status"]
        if status == "ISSUED":
            break
        time.sleep(0.1)
    assert status == "ISSUED"
    made = gateway.create_domain_name(
        domainName=name, regionalCertificateArn=certificate, endpointConfiguration={"types": ["REGIONAL"]}
    )
    assert made["regionalDomainName"].endswith(f".execute-api.{region}.amazonaws.com")
    gateway.create_base_path_mapping(domainName=name, basePath="v1", restApiId=ident, stage="live")
    try:
        yield
    finally:
        gateway.delete_domain_name(domainName=name)
        acm.delete_certificate(CertificateArn=certificate)


def test_a_fault_at_the_gateway_is_worded_and_counted_as_its_own(world: World) -> None:
    with ordering(world) as (ident, name):
        fault = world.fault("service-errors", "us-east-1", services=["execute-api"], parameters={"share": 1.0})
        try:
            answer = request(world, host_of(ident), "GET", "/live/ping")
        finally:
            world.end_fault(fault)
        assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
        assert request(world, host_of(ident), "GET", "/live/ping").status == 200
        cloudwatch, now = world.client("cloudwatch"), time.time()
        for _ in range(150):
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/ApiGateway", MetricName="5XXError", Dimensions=[{"Name": "ApiName", "Value": name}],
                StartTime=now - 300, EndTime=now + 300, Period=60, Statistics=["Sum"],
            )["Datapoints"]  # fmt: skip
            if sum(point["Sum"] for point in points) == 1.0:
                return
            time.sleep(0.1)
        pytest.fail(f"5XXError says {points}")
