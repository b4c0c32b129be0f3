"""A role can do what it allows and nothing else; a service's own condition keys are judged."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World

NAMESPACE = "Allowed"


@pytest.fixture(scope="module")
def limited(world: World) -> dict[str, str]:
    """Keys of a user who may put metrics into one namespace and read one table, over TLS."""
    iam = world.client("iam")
    name = f"limited-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "cloudwatch:PutMetricData",
                "Resource": "*",
                "Condition": {"StringEquals": {"cloudwatch:namespace": NAMESPACE}},
            },
            {"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    deadline = time.monotonic() + 10
    while True:
        try:
            world.client("dynamodb", "us-west-2", **keys).list_tables()
            return keys
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def put(client: Any, namespace: str) -> None:
    client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": 1.0}])


def test_a_condition_on_the_namespace_is_judged(world: World, limited: dict[str, str]) -> None:
    client = world.client("cloudwatch", "us-west-2", **limited)
    put(client, NAMESPACE)
    with pytest.raises(ClientError) as caught:
        put(client, "Other")
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")


def test_what_is_not_allowed_is_refused(world: World, limited: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:DeleteTable"):
        world.client("dynamodb", "us-west-2", **limited).delete_table(TableName="anything")


def test_plain_http_can_be_denied_by_policy(world: World, limited: dict[str, str]) -> None:
    config = world.config
    for url in (f"http://{config.hosts['us-west-2']}:{config.port}", config.front_url.replace("https", "http")):
        plain = world.client("dynamodb", "us-west-2", endpoint_url=url, **limited)
        with pytest.raises(ClientError, match="explicit deny"):
            plain.list_tables()
    assert "TableNames" in world.front("dynamodb", "us-west-2", **limited).list_tables()
