"""The audit trail as its users read it: LookupEvents and the files."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.iam.test_iam import allow, new_user
from tests.wire.iam.test_iam_world import keys


def test_who_did_what_and_was_it_allowed(world: World) -> None:
    trail, iam = world.client("cloudtrail"), world.client("iam")
    name = f"audited-{uuid.uuid4().hex[:8]}"
    pair = new_user(iam, name, allow("dynamodb:ListTables"))
    user = world.client("dynamodb", **keys(pair))
    deadline = time.monotonic() + 5
    while True:
        try:
            user.list_tables()
            break
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with pytest.raises(ClientError, match="is not authorized to perform"):
        user.describe_table(TableName="nothing-for-you")
    found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": name}])["Events"]
    newest = found[0]
    record = json.loads(newest["CloudTrailEvent"])
    assert (newest["EventName"], newest["ReadOnly"], newest["AccessKeyId"]) == ("DescribeTable", "true", pair[0])
    assert record["errorCode"] == "AccessDenied"
    assert record["requestParameters"] == {"tableName": "nothing-for-you"}
    assert record["userIdentity"]["arn"] == f"arn:aws:iam::111122223333:user/{name}"
    assert "ListTables" in [each["EventName"] for each in found if "errorCode" not in each["CloudTrailEvent"]]
    made = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateAccessKey"}])
    assert pair[1] not in json.dumps(made, default=str)
    made_records = [json.loads(each["CloudTrailEvent"]) for each in made["Events"]]
    (answered,) = [each for each in made_records if each["requestParameters"] == {"userName": name}]
    assert answered["responseElements"]["accessKey"]["accessKeyId"] == pair[0]
    tls = answered["tlsDetails"]
    assert (tls["tlsVersion"], tls["clientProvidedHostHeader"]) == ("TLSv1.3", iam.meta.endpoint_url.split("/")[2])
    files = list((world.folder / "regions" / "us-east-1" / "cloudtrail").glob("*.jsonl"))
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert all(pair[1] not in file.read_text() for file in files)


def test_what_cannot_be_looked_up_is_refused_by_name(world: World) -> None:
    trail = world.client("cloudtrail")
    both = [{"AttributeKey": "ReadOnly", "AttributeValue": "true"}] * 2
    for params, code in (
        ({"LookupAttributes": both}, "InvalidLookupAttributesException"),
        ({"NextToken": "rubbish"}, "InvalidNextTokenException"),
        ({"EventCategory": "insight"}, "InvalidEventCategoryException"),
        ({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}, "InvalidTimeRangeException"),
    ):
        with pytest.raises(ClientError) as refused:
            trail.lookup_events(**params)
        assert refused.value.response["Error"]["Code"] == code
