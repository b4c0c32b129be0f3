"""Deployment: archives that name their content, stacks in order, a file that an evacuation can rely on."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import zipfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from outlast.cli.ops_interrupt import stops
from outlast.ops import deployment as deployments
from outlast.ops.clients import Clients, again, check_target
from outlast.ops.deploy.package import canary_archive, function_archive, pack
from outlast.ops.deploy.parameters import LOCAL_RHYTHM, Wish
from outlast.ops.deploy.run import Deployer
from outlast.ops.deploy.stacks import StackEvent, StackMaker, StackPlan
from outlast.ops.observe.facts import noted
from outlast.ops.outcome import OpsError, Stopped, UsageError
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.test_templates import TEMPLATES, load

SOURCE = Path(__file__).parents[3]


def test_an_archive_is_named_by_its_content() -> None:
    assert pack("f", [("b", b"2"), ("a", b"1")]) == pack("f", [("a", b"1"), ("b", b"2")])
    assert pack("f", [("a", b"1")]).key != pack("f", [("a", b"2")]).key


def test_the_archives_hold_what_their_handlers_need() -> None:
    with zipfile.ZipFile(io.BytesIO(function_archive(SOURCE).data)) as archive:
        assert {"orders/app.py", "orders/store.py", "orders/domain.py"} <= set(archive.namelist())
    with zipfile.ZipFile(io.BytesIO(canary_archive(SOURCE).data)) as archive:
        assert {"python/health_canary.py", "python/order_canary.py", "python/signed.py"} == set(archive.namelist())
    with pytest.raises(UsageError):
        function_archive(SOURCE / "templates")


class FakeCloudFormation:
    """Makes stacks at the second look; `outcome` is the status that they end with."""

    def __init__(self, region: str = "us-east-1", outcome: str = "CREATE_COMPLETE") -> None:
        self.region = region
        self.outcome = outcome
        self.stacks: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.parameters: dict[str, dict[str, str]] = {}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName not in self.stacks:
            raise fault("ValidationError", f"Stack with id {StackName} does not exist")
        stack = self.stacks[StackName]
        answer = {"Stacks": [dict(stack)]}
        if stack["StackStatus"].endswith("_IN_PROGRESS"):
            stack["StackStatus"] = self.outcome
        if stack["StackStatus"] == "DELETE_COMPLETE":
            del self.stacks[StackName]
        return answer

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:
        return {"StackEvents": list(reversed(self.events))}

    def create_stack(self, **wanted: Any) -> None:
        name = wanted["StackName"]
        self.log.append(f"create {name}")
        self.parameters[name] = {each["ParameterKey"]: each["ParameterValue"] for each in wanted["Parameters"]}
        outputs = [{"OutputKey": key, "OutputValue": f"{key}/{self.region}"} for key in _outputs(name)]
        self.stacks[name] = {"StackId": name, "StackStatus": "CREATE_IN_PROGRESS", "Outputs": outputs}
        self.event("CREATE_IN_PROGRESS")
        if self.outcome != "CREATE_COMPLETE":
            self.event("CREATE_FAILED", "Table exists")
            self.event("CREATE_FAILED", "Resource creation cancelled")

    def update_stack(self, **wanted: Any) -> None:
        self.log.append(f"update {wanted['StackName']}")
        raise fault("ValidationError", "No updates are to be performed.")

    def delete_stack(self, StackName: str) -> None:
        self.log.append(f"delete {StackName}")
        self.stacks[StackName]["StackStatus"] = "DELETE_COMPLETE"

    def event(self, status: str, reason: str = "") -> None:
        event = {"EventId": str(len(self.events)), "LogicalResourceId": "Thing", "ResourceType": "AWS::X::Y"}
        self.events.append({**event, "ResourceStatus": status, "ResourceStatusReason": reason})


def _outputs(stack: str) -> list[str]:
    (path,) = (path for path in TEMPLATES if path.stem == stack.removeprefix("orders-"))
    return list(load(path)["Outputs"])


PLAN = StackPlan("orders-zone", "us-east-1", "template", {"ZoneName": "outlast.example"})


def maker(client: FakeCloudFormation, seen: list[StackEvent] | None = None) -> StackMaker:
    return StackMaker(client, (seen if seen is not None else []).append, sleep=lambda _: None)


def test_a_stack_is_made_and_its_events_are_told_once() -> None:
    seen: list[StackEvent] = []
    result = maker(FakeCloudFormation(), seen).ensure(PLAN)
    assert (result.changed, result.created) == (True, True)
    assert result.outputs["ZoneId"] == "ZoneId/us-east-1"
    assert [event.status for event in seen] == ["CREATE_IN_PROGRESS"]


def test_an_unchanged_stack_is_left_alone() -> None:
    client = FakeCloudFormation()
    maker(client).ensure(PLAN)
    result = maker(client).ensure(PLAN)
    assert (result.changed, result.created) == (False, False)
    assert client.log == ["create orders-zone", "update orders-zone"]


def test_a_failed_stack_says_why_and_is_made_anew_next_time() -> None:
    client = FakeCloudFormation(outcome="ROLLBACK_COMPLETE")
    with pytest.raises(OpsError, match="Table exists") as failed:
        maker(client).ensure(PLAN)
    assert "cancelled" not in str(failed.value)
    client.outcome = "CREATE_COMPLETE"
    maker(client).ensure(PLAN)
    assert client.log == ["create orders-zone", "delete orders-zone", "create orders-zone"]


def test_a_stack_that_never_ends_is_given_up() -> None:
    client = FakeCloudFormation(outcome="CREATE_IN_PROGRESS")
    ticks = iter(range(0, 10_000, 600))
    watched = StackMaker(client, lambda _: None, sleep=lambda _: None, clock=lambda: float(next(ticks)))
    with pytest.raises(OpsError, match="not done after"):
        watched.ensure(PLAN)


@pytest.mark.parametrize(
    ("standing", "ends", "log"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", ["update"]),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", ["update"]),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", ["delete", "create"]),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE", ["create"]),
        ("REVIEW_IN_PROGRESS", "CREATE_COMPLETE", ["delete", "create"]),
    ],
)
def test_what_an_interrupted_run_has_begun_is_waited_for(standing: str, ends: str, log: list[str]) -> None:
    client, seen = FakeCloudFormation(), list[StackEvent]()
    maker(client).ensure(PLAN)
    client.log.clear()
    client.stacks[PLAN.name]["StackStatus"], client.outcome = standing, ends

    def tell(event: StackEvent) -> None:
        seen.append(event)
        if event.resource == "Thing":  # of the stack that is made anew
            client.outcome = "CREATE_COMPLETE"

    StackMaker(client, tell, sleep=lambda _: None).ensure(PLAN)
    assert [word.removesuffix(f" {PLAN.name}") for word in client.log] == log
    assert ("WAITED FOR" in [each.status for each in seen]) is (standing != "REVIEW_IN_PROGRESS")


def test_a_stack_that_is_stuck_names_the_way_out() -> None:
    client = FakeCloudFormation()
    maker(client).ensure(PLAN)
    client.stacks[PLAN.name]["StackStatus"] = "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(OpsError, match="continue-update-rollback --stack-name orders-zone"):
        maker(client).ensure(PLAN)


def test_an_update_that_is_under_way_is_not_cut_short_by_a_removal() -> None:
    client = FakeCloudFormation()
    maker(client).ensure(PLAN)
    client.stacks[PLAN.name]["StackStatus"], client.outcome = "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"
    seen: list[StackEvent] = []
    maker(client, seen).remove(PLAN.name, PLAN.region)
    assert [each.status for each in seen] == ["WAITED FOR"]
    assert client.stacks == {}


def test_an_interrupted_deployment_waits_for_no_stack_any_more() -> None:
    """Every stack goes on for ever; the signal comes while all of them are waited for."""
    clients = FakeClients(
        lambda service, region, _: (
            FakeCloudFormation(region, "CREATE_IN_PROGRESS") if service == "cloudformation" else FakeRest()
        )
    )
    wish = Wish(SOURCE, "outlast.example", rhythm=replace(LOCAL_RHYTHM, poll_s=60.0))
    begun = threading.Event()
    deployer = Deployer(cast(Clients, clients), wish, lambda _: begun.set())

    def end() -> None:
        begun.wait(30)
        os.kill(os.getpid(), signal.SIGTERM)

    with stops():
        threading.Thread(target=end).start()
        with pytest.raises(Stopped) as stopped:
            deployer.run()
    assert stopped.value.number == signal.SIGTERM


class FakeRest:
    """S3, ARC and the rest, as far as a deployment calls them."""

    def __init__(self) -> None:
        self.uploads: list[str] = []
        self.on: set[str] = set()

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.uploads.append(f"{Bucket}/{Key}")

    def describe_safety_rule(self, SafetyRuleArn: str) -> dict[str, Any]:
        return {"AssertionRule": {"SafetyRuleArn": SafetyRuleArn, "WaitPeriodMs": 5000}}

    def describe_cluster(self, ClusterArn: str) -> dict[str, Any]:
        return {"Cluster": {"ClusterEndpoints": [{"Endpoint": "https://c-1", "Region": "us-east-1"}]}}

    def get_stage(self, restApiId: str, stageName: str) -> dict[str, Any]:
        return {"methodSettings": {"*/*": {"throttlingRateLimit": 500.0}}}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 1000}}

    def describe_table(self, TableName: str) -> dict[str, Any]:
        return {"Table": {"TableName": TableName, "ProvisionedThroughput": {"ReadCapacityUnits": 7}}}

    def describe_limits(self) -> dict[str, Any]:
        return {"TableMaxReadCapacityUnits": 40000}

    def get_metric_data(self, **_: Any) -> dict[str, Any]:
        moment = datetime.fromtimestamp(60, UTC)
        return {"MetricDataResults": [{"Id": "r0", "Timestamps": [moment], "Values": [120.0]}]}

    def get_routing_control_state(self, RoutingControlArn: str) -> dict[str, str]:
        return {"RoutingControlState": "On" if RoutingControlArn in self.on else "Off"}

    def update_routing_control_states(self, UpdateRoutingControlStateEntries: list[dict[str, str]]) -> None:
        self.on |= {each["RoutingControlArn"] for each in UpdateRoutingControlStateEntries}


def test_a_deployment_makes_every_stack_where_it_belongs() -> None:
    rest = FakeRest()
    clients = FakeClients(
        lambda service, region, _: FakeCloudFormation(region) if service == "cloudformation" else rest
    )
    servers = sample_deployment().name_servers
    wish = Wish(SOURCE, "outlast.example", rhythm=replace(LOCAL_RHYTHM, poll_s=0), name_servers=servers)
    made = Deployer(cast(Clients, clients), wish, lambda _: None).run()

    logs = {key[1]: client.log for key, client in clients.made.items() if key[0] == "cloudformation"}
    assert sorted(logs["us-east-2"]) == ["create orders-foundation", "create orders-observer"]
    assert {"create orders-zone", "create orders-data", "create orders-watch"} <= set(logs["us-east-1"])
    assert {"create orders-routing", "create orders-application"} <= set(logs["us-west-2"])
    assert logs["us-west-2"].index("create orders-foundation") < logs["us-west-2"].index("create orders-application")
    assert len(rest.uploads) == 6
    assert len(rest.on) == 2
    assert made.service_name == "orders.outlast.example"
    assert made.region("us-west-2").api_id == "ApiId/us-west-2"
    assert made.arc.endpoints[0].url == "https://c-1"
    held = made.throughput["us-west-2"]
    assert held["limits"][made.tables.customers]["read"] == {"the table's read limit": 7.0, "the read quota": 40000.0}
    assert held["used"][made.tables.customers] == {"read": 2.0, "write": 0.0}
    written = json.loads(json.dumps(asdict(made)))["throughput"]
    assert noted(replace(sample_deployment(), throughput=written))["us-west-2"].at_s == held["at_s"] > 0


def test_every_template_gets_the_parameters_it_asks_for() -> None:
    rest = FakeRest()
    clients = FakeClients(
        lambda service, region, _: FakeCloudFormation(region) if service == "cloudformation" else rest
    )
    wish = Wish(SOURCE, "outlast.example", rhythm=LOCAL_RHYTHM, name_servers=sample_deployment().name_servers)
    Deployer(cast(Clients, clients), wish, lambda _: None).run()
    given = {
        name.removeprefix("orders-"): parameters
        for key, client in clients.made.items()
        if key[0] == "cloudformation"
        for name, parameters in client.parameters.items()
    }
    for path in TEMPLATES:
        declared = load(path)["Parameters"]
        assert set(given[path.stem]) <= set(declared), path.stem
        needed = {name for name, parameter in declared.items() if "Default" not in parameter}
        assert needed <= set(given[path.stem]), path.stem


def test_a_switched_off_region_stays_off() -> None:
    rest = FakeRest()
    rest.on.add("SecondControlArn/us-west-2")
    clients = FakeClients(
        lambda service, region, _: FakeCloudFormation(region) if service == "cloudformation" else rest
    )
    wish = Wish(SOURCE, "outlast.example", rhythm=LOCAL_RHYTHM, name_servers=sample_deployment().name_servers)
    Deployer(cast(Clients, clients), wish, lambda _: None).run()
    assert rest.on == {"SecondControlArn/us-west-2"}


def test_a_deployment_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "deployment.json"
    deployments.save(sample_deployment(), path)
    assert deployments.load(path) == sample_deployment()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"schema": "outlast.deployment/1"}'])
def test_a_bad_deployment_file_is_one_clear_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "deployment.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"outlast deploy|cannot be read"):
        deployments.load(path)


@pytest.mark.parametrize(
    "change",
    [{"regions": []}, {"name_servers": []}, {"record_ttl_s": "3"}, {"service_name": 7}, {"capacity": []},
     {"throughput": {"us-east-1": {}}}, {"throughput": {"us-east-1": {"at_s": 1, "limits": [], "used": None}}},
     {"canary_period_s": "a"}, {"observer_region": None}, {"ca_path": 5}, {"https_port": True}],
    ids=str,
)  # fmt: skip
def test_a_deployment_file_with_a_member_of_another_type_is_one_clear_line(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "deployment.json"
    deployments.save(sample_deployment(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match="damaged"):
        deployments.load(path)


def test_a_region_that_is_not_deployed_to_is_named() -> None:
    with pytest.raises(UsageError, match=r"us-east-1, us-west-2"):
        sample_deployment().region("eu-west-1")


def session(key: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id=key, aws_secret_access_key="s", region_name="us-east-1")


def test_local_credentials_never_go_to_aws_nor_aws_calls_to_a_world() -> None:
    check_target(session("AKIALOCALAAAAAAAAAAA"), "local", "https://127.0.0.1:4566")
    check_target(session("AKIAIOSFODNN7EXAMPLE"), "aws", None)
    with pytest.raises(UsageError, match="never sent to AWS"):
        check_target(session("AKIALOCALAAAAAAAAAAA"), "aws", None)
    with pytest.raises(UsageError, match="unset"):
        check_target(session("AKIAIOSFODNN7EXAMPLE"), "aws", "https://127.0.0.1:4566")
    with pytest.raises(UsageError, match="outlast up"):
        check_target(session("AKIALOCALAAAAAAAAAAA"), "local", None)


def test_clients_make_one_attempt_and_are_shared() -> None:
    clients = Clients(session("AKIALOCALAAAAAAAAAAA"), "local", endpoint_url="https://127.0.0.1:4566")
    client = clients.of("dynamodb", "us-east-1")
    assert client is clients.of("dynamodb", "us-east-1")
    assert client is not clients.of("dynamodb", "us-west-2")
    assert client.meta.config.retries["total_max_attempts"] == 1


def test_calls_are_repeated_only_when_it_may_help() -> None:
    tries: list[int] = []
    pauses: list[float] = []

    def fails(code: str, status: int) -> None:
        tries.append(1)
        raise fault(code, status=status)

    with pytest.raises(Exception, match="Throttling"):
        again(lambda: fails("ThrottlingException", 400), tries=3, pause_s=1, sleep=pauses.append)
    assert (len(tries), pauses) == (3, [1, 2])
    tries.clear()
    with pytest.raises(Exception, match="AccessDenied"):
        again(lambda: fails("AccessDenied", 403), sleep=pauses.append)
    assert len(tries) == 1
