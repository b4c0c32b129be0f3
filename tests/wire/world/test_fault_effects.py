"""Every fault of the world, seen from outside: it does what it says, where it says, is listed, and leaves no trace."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, SSLError

from tests.conftest import World

pytestmark = pytest.mark.timeout(300)
A, B, ELSEWHERE = "eu-west-1", "ap-northeast-1", "us-east-2"
TABLE = "faulty"
numbers = itertools.count()


def wait_until(truth: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def held(world: World, kind: str, *regions: str, **fields: Any) -> Iterator[None]:
    """The fault lasts as long as the block, and is listed while it does."""

    def listed() -> bool:
        return any(each["id"] == ident and each["ended_ms"] is None for each in world.control("fault-list"))

    ident = world.fault(kind, *regions, **fields)
    try:
        assert listed()
        yield
        assert listed()
    finally:
        world.end_fault(ident)
    assert not listed()


@pytest.fixture(scope="module")
def table(world: World) -> Iterator[str]:
    """A table with a replica in two Regions, and one of the same name on its own elsewhere."""
    for region in (A, ELSEWHERE):
        client = world.client("dynamodb", region)
        client.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    client = world.client("dynamodb", A)
    client.update_table(TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": B}}])
    wait_until(lambda: states(client) == ["ACTIVE", "ACTIVE"])
    yield TABLE
    client.update_table(TableName=TABLE, ReplicaUpdates=[{"Delete": {"RegionName": B}}])
    wait_until(lambda: states(client) == ["ACTIVE"])
    for region in (A, ELSEWHERE):
        world.client("dynamodb", region).delete_table(TableName=TABLE)


def states(client: Any) -> list[str]:
    """The status of the table, and of every replica but its own."""
    table = client.describe_table(TableName=TABLE)["Table"]
    others = [each for each in table.get("Replicas", []) if each["RegionName"] != A]
    return [table["TableStatus"], *(each["ReplicaStatus"] for each in others)]


def put(world: World, region: str, ident: str = "", **attributes: str) -> str:
    """Write an item and return its id."""
    ident = ident or f"i-{next(numbers)}"
    item = {"id": {"S": ident}, **{name: {"S": value} for name, value in attributes.items()}}
    world.client("dynamodb", region).put_item(TableName=TABLE, Item=item)
    return ident


def get(world: World, region: str, ident: str) -> Any:
    found = world.client("dynamodb", region).get_item(TableName=TABLE, Key={"id": {"S": ident}}, ConsistentRead=True)
    return found.get("Item")


def who(world: World, region: str) -> str:
    """The error code of a request that needs nothing; empty when it is answered."""
    return code_of(lambda: world.client("sts", region).get_caller_identity())


def code_of(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
    return ""


def seconds(call: Callable[[], Any]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def test_service_errors_have_their_code_status_service_operation_and_region(world: World, table: str) -> None:
    parameters = {"share": 1.0, "code": "Kaput", "status": 503}
    with held(world, "service-errors", A, services=["dynamodb"], operations=["GetItem"], parameters=parameters):
        assert code_of(lambda: get(world, A, "x")) == "Kaput 503"
        assert code_of(lambda: put(world, A)) == ""
        assert who(world, A) == ""
        assert code_of(lambda: get(world, ELSEWHERE, "x")) == ""
    assert code_of(lambda: get(world, A, "x")) == ""


def test_a_share_of_requests_is_a_share(world: World) -> None:
    client = world.client("sts", A)
    with held(world, "service-errors", A, services=["sts"], parameters={"share": 0.5}):
        failed = sum(bool(code_of(client.get_caller_identity)) for _ in range(60))
    assert 10 < failed < 50
    with held(world, "service-errors", A, services=["sts"], parameters={"share": 0.0}):
        assert not any(code_of(client.get_caller_identity) for _ in range(20))


def test_throttling_is_aws_s_own_error(world: World) -> None:
    with held(world, "service-throttling", A, services=["sts"]):
        assert who(world, A) == "Throttling 400"
        assert who(world, ELSEWHERE) == ""
    assert who(world, A) == ""


def test_latency_delays_and_a_gray_failure_fails_the_rest(world: World) -> None:
    with held(world, "service-latency", A, services=["sts"], parameters={"delay_ms": 1500}):
        assert seconds(lambda: who(world, A)) >= 1.5
        assert min(seconds(lambda: who(world, ELSEWHERE)) for _ in range(3)) < 1.5
        assert min(seconds(lambda: world.client("iam", A).list_roles()) for _ in range(3)) < 1.5
    both = {"error_share": 1.0, "delay_share": 1.0, "delay_ms": 700}
    with held(world, "gray-failure", A, parameters=both):
        begun = time.monotonic()
        assert who(world, A) == "InternalFailure 500"
        assert time.monotonic() - begun >= 0.7
        assert who(world, ELSEWHERE) == ""
    assert min(seconds(lambda: who(world, A)) for _ in range(3)) < 0.7


def test_a_lost_control_plane_leaves_the_data_plane(world: World, table: str) -> None:
    def describe(region: str) -> str:
        return code_of(lambda: world.client("dynamodb", region).describe_table(TableName=TABLE))

    with held(world, "control-plane-lost", A, services=["dynamodb"]):
        assert describe(A).endswith(" 503")
        assert get(world, A, put(world, A)) is not None
        assert code_of(lambda: world.client("lambda", A).list_functions()) == ""
        assert describe(ELSEWHERE) == ""
    assert describe(A) == ""


def test_a_wrong_clock_refuses_what_is_signed_by_a_right_one(world: World) -> None:
    with held(world, "clock-skew", A, parameters={"skew_ms": 3_600_000}):
        assert who(world, A).startswith(("SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"))
        assert who(world, ELSEWHERE) == ""
    assert who(world, A) == ""


def test_a_clock_that_is_ahead_wins_conflicts_that_it_should_lose(world: World, table: str) -> None:
    """Last writer wins is by the writers' clocks: a minute of skew lets the earlier of two writes stand."""
    with held(world, "clock-skew", A, parameters={"skew_ms": 60_000}), held(world, "link-cut", A, B):
        ident = put(world, A, by="the fast clock")
        put(world, B, ident, by="the right clock")
    wait_until(lambda: get(world, B, ident)["by"]["S"] == "the fast clock")
    assert get(world, A, ident)["by"]["S"] == "the fast clock"


def test_a_full_disk_refuses_writes_and_still_reads(world: World, table: str) -> None:
    ident = put(world, A)
    with held(world, "disk-full", A):
        failed = f"i-{next(numbers)}"
        assert code_of(lambda: put(world, A, failed)).endswith((" 500", " 503"))
        assert get(world, A, ident) is not None
        assert get(world, ELSEWHERE, put(world, ELSEWHERE)) is not None
    assert get(world, A, failed) is None
    assert get(world, A, put(world, A)) is not None


def test_a_full_peer_gets_what_it_missed_and_the_log_is_told_in_a_line(world: World, table: str) -> None:
    log = world.folder / "world.log"
    before = log.stat().st_size
    with held(world, "disk-full", B):
        missed = [put(world, A) for _ in range(20)]
        wait_until(lambda: "writes are refused: the disk is full" in told_since(log, before))
        assert all(get(world, A, ident) is not None for ident in missed)
        assert get(world, B, missed[0]) is None
    wait_until(lambda: all(get(world, B, ident) for ident in missed))
    wait_until(lambda: "writes are let in again" in told_since(log, before))
    assert "Traceback" not in told_since(log, before)


def told_since(log: Path, size: int) -> str:
    """What the world's log says beyond its first `size` bytes."""
    return log.read_bytes()[size:].decode()


def test_a_slow_disk_delays_what_must_be_synced(world: World, table: str) -> None:
    with held(world, "disk-slow", A, parameters={"delay_ms": 800}):
        assert seconds(lambda: put(world, A)) >= 0.8
        assert min(seconds(lambda: put(world, ELSEWHERE)) for _ in range(3)) < 0.8
    assert min(seconds(lambda: put(world, A)) for _ in range(3)) < 0.8


@pytest.mark.parametrize(("kind", "why"), [("certificate-expired", "expired"), ("certificate-wrong", "match")])
def test_a_bad_certificate_is_shown_to_every_client(world: World, kind: str, why: str) -> None:
    """By name (curl) and by address (boto3); what a canary makes of it stands with the canaries."""
    name = f"sts.{A}.amazonaws.com"
    address = f"{name}:{world.config.port}:{world.config.hosts[A]}"
    command = ["curl", "-sS", "--cacert", str(world.folder / "ca.pem"), "--resolve", address]

    def curl() -> subprocess.CompletedProcess[str]:
        url = f"https://{name}:{world.config.port}/ping"
        return subprocess.run([*command, url], capture_output=True, text=True, timeout=30, check=False)

    def ask(region: str) -> Any:
        return world.client("sts", region).get_caller_identity()

    def well() -> None:
        assert ask(A)["Account"]
        assert shutil.which("curl") is None or curl().returncode == 0

    well()
    with held(world, kind, A):
        with pytest.raises(SSLError, match=why):
            ask(A)
        if shutil.which("curl") is not None:
            done = curl()
            assert done.returncode == 60
            assert why in done.stderr
        assert ask(B)["Account"]
    well()


def test_a_link_is_cut_one_way(world: World, table: str) -> None:
    with held(world, "link-cut", A, B):
        there, back = put(world, A), put(world, B)
        wait_until(lambda: get(world, A, back))  # it arrives, though no answer comes back
        assert get(world, B, there) is None
    wait_until(lambda: get(world, B, there))
    wait_until(lambda: get(world, A, back))


def test_a_slow_link_delays_what_it_carries(world: World, table: str) -> None:
    with held(world, "link-slow", A, B, parameters={"delay_ms": 1500}):
        begun = time.monotonic()
        ident = put(world, A)
        wait_until(lambda: get(world, B, ident))
        assert time.monotonic() - begun >= 1.5


def test_a_lossy_link_loses_messages_and_no_writes(world: World, table: str) -> None:
    with held(world, "link-slow", A, B, parameters={"loss": 1.0}):
        ident = put(world, A)
        back = put(world, B)
        wait_until(lambda: get(world, A, back))
        assert get(world, B, ident) is None
    wait_until(lambda: get(world, B, ident))
    wait_until(lambda: get(world, A, back))


def test_paused_replication_holds_items_back_and_nothing_else(world: World, table: str) -> None:
    with held(world, "replication-paused", A, B):
        there, back = put(world, A), put(world, B)
        wait_until(lambda: get(world, A, back))
        assert code_of(lambda: world.client("iam", A).list_roles()) == ""
        assert get(world, B, there) is None
    wait_until(lambda: get(world, B, there))


def test_a_fault_of_a_second_ends_by_itself(world: World) -> None:
    ident = world.fault("service-errors", A, services=["sts"], duration_s=1.0)
    wait_until(lambda: who(world, A) == "")
    (ended,) = [each for each in world.control("fault-list") if each["id"] == ident]
    assert ended["ends_ms"] <= ended["ended_ms"]


def test_a_destroyed_region_comes_back_with_nothing_and_a_killed_one_with_everything(
    make_world: Callable[..., World],
) -> None:
    world = make_world("--region", A, "--region", ELSEWHERE)
    client = world.client("dynamodb", A)
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    ident = put(world, A)
    with held(world, "region-killed", A):
        pass
    assert get(world, A, ident) is not None
    with held(world, "region-destroyed", A):
        assert not (world.folder / "regions" / A).exists()
        assert who(world, ELSEWHERE) == ""
    assert world.client("dynamodb", A).list_tables()["TableNames"] == []
