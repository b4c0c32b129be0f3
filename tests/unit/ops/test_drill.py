"""Drills: files that say what they mean, faults behind FIS, evidence that can be missing, customers as processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from outlast.ops.act.evacuate import Evacuated
from outlast.ops.act.failback import Returned, Step
from outlast.ops.clients import Clients
from outlast.ops.decide.rules import Judge
from outlast.ops.drill import aftermath, evidence
from outlast.ops.drill.customers import Crowd
from outlast.ops.drill.faults import FisFaults, Running, ensure_role, parameters_of, words_of
from outlast.ops.drill.file import FaultPlan, LoadPlan, find, library, parse
from outlast.ops.drill.story import AlarmChange, StepSeen, Story
from outlast.ops.load.log import Record
from outlast.ops.load.run import save
from outlast.ops.names import NameServer
from outlast.ops.observe.survey import Latest, Told
from outlast.ops.outcome import OpsError, UsageError
from outlast.ops.sightings import SIDES, Sample
from outlast.ops.signing import Credentials
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.servers import dns_server, http_server, reply
from tests.unit.ops.test_measure import A, B, item, record, sold

FILE = """
name: mine
hypothesis: it holds
region: second
fault: {kind: link-cut, regions: [us-east-1, us-west-2], parameters: {}}
also: [{kind: control-plane-lost, services: [route53]}]
load: {rate_per_s: 3}
phases: {steps: [50, 100]}
expect: [rto <= 5 s]
"""


def test_the_library_is_sound() -> None:
    drills = library()
    assert "gray-failure" in drills
    assert all(drill.hypothesis and drill.expect for drill in drills.values())
    assert find("gray-failure") == drills["gray-failure"]


def test_a_drill_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    drill = find(str(path))
    assert drill.fault == FaultPlan("link-cut", ("us-east-1", "us-west-2"))
    assert (drill.load.rate_per_s, drill.load.clients) == (3, LoadPlan().clients)
    assert drill.also == (FaultPlan("control-plane-lost", services=("route53",)),)
    assert drill.phases.steps == (50, 100)
    with pytest.raises(UsageError, match="gray-failure"):
        find("nothing")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("name: mine", "nome: mine"), "no member nome"),
        (("hypothesis: it holds\n", ""), "hypothesis is missing"),
        (("rate_per_s", "rate"), "no member rate"),
        (("kind: link-cut, ", ""), "kind"),
        (("{rate_per_s: 3}", "fast"), "must be a mapping"),
        (("rto <= 5 s", "speed <= 5"), "not measured"),
        (("name: mine", "name: [mine"), "not YAML"),
        (("also: [{", "also: {x: ["), "not YAML"),
        (("also: [{kind: control-plane-lost, services: [route53]}]", "also: {kind: x}"), "must be a list"),
        (("also: [{kind", "also: [{sort"), "no member sort"),
    ],
)
def test_a_bad_drill_names_what_is_wrong(change: tuple[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(FILE.replace(*change), "mine.yaml")


class Fis:
    """An experiment that runs at the second look and has stopped at the fourth."""

    def __init__(self, statuses: list[str]) -> None:
        self.statuses = statuses
        self.templates: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.error: Exception | None = None

    def create_experiment_template(self, **wanted: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.templates.append(wanted)
        return {"experimentTemplate": {"id": "EXT1"}}

    def start_experiment(self, clientToken: str, experimentTemplateId: str, tags: dict[str, str]) -> dict[str, Any]:
        self.tags = tags
        return {"experiment": {"id": "EXP1"}}

    def get_experiment(self, id: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"experiment": {"state": {"status": status, "reason": "because"}}}

    def stop_experiment(self, id: str) -> None:
        self.stopped.append(id)


class Actions:
    """FIS, asked what its actions take."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def get_action(self, id: str) -> dict[str, Any]:
        if self.error:
            raise self.error
        own = {"outlast:gray-failure": ["error_share", "delay_ms"]}.get(id, [])
        return {"action": {"parameters": {name: {} for name in ("regions", "services", "duration", *own)}}}


def test_a_parameter_that_a_fault_does_not_have_is_refused_before_it_begins() -> None:
    faults = FisFaults(Actions(), lambda: "arn:role", sleep=lambda _: None)
    faults.check(GRAY)
    faults.check(FaultPlan("link-cut"))
    with pytest.raises(UsageError, match=r"has no parameter error_shar; it has delay_ms, error_share\."):
        faults.check(FaultPlan("gray-failure", parameters={"error_shar": 0.3}))
    with pytest.raises(UsageError, match="it has none"):
        faults.check(FaultPlan("link-cut", parameters={"x": 1}))
    silent = FisFaults(Actions(fault("ServiceUnavailable", status=503)), lambda: "arn:role", sleep=lambda _: None)
    silent.check(FaultPlan("gray-failure", parameters={"error_shar": 0.3}))


GRAY = FaultPlan("gray-failure", parameters={"error_share": 0.3, "delay_ms": 2000})


def test_a_fault_is_an_experiment_that_is_waited_for() -> None:
    fis = Fis(["initiating", "running", "stopping", "stopped"])
    faults = FisFaults(fis, lambda: "arn:role", sleep=lambda _: None)
    running = faults.begin(GRAY, [A], 90.4)
    (template,) = fis.templates
    assert template["actions"]["fault"] == {
        "actionId": "outlast:gray-failure",
        "parameters": {"regions": A, "duration": "PT90S", "error_share": "0.3", "delay_ms": "2000"},
    }
    assert running == Running("EXP1", "gray-failure in us-east-1")
    listed = {
        "id": "EXP1",
        "experimentTemplateId": "EXT1",
        "state": {"status": "running"},
        "creationTime": datetime.fromtimestamp(50, UTC),
    }
    assert words_of({**listed, "tags": fis.tags}, 92.4) == (
        "EXP1  running     gray-failure in us-east-1, asked for 42 s ago"
    )
    faults.end(running)
    assert fis.stopped == ["EXP1"]


def test_a_fault_that_does_not_take_hold_is_an_error() -> None:
    with pytest.raises(OpsError, match="because"):
        FisFaults(Fis(["failed"]), lambda: "arn:role", sleep=lambda _: None).begin(GRAY, [A], 90)
    refusing = Fis(["running"])
    refusing.error = fault("ValidationException", "no such action")
    with pytest.raises(OpsError, match="no such action"):
        FisFaults(refusing, lambda: "arn:role", sleep=lambda _: None).begin(GRAY, [A], 90)
    with pytest.raises(OpsError, match="did not come to be"):
        FisFaults(Fis(["initiating"]), lambda: "arn:role", sleep=lambda _: None).begin(GRAY, [A], 90)


def test_ending_a_fault_needs_no_role() -> None:
    def role() -> str:
        raise fault("InternalServerError", status=500)

    fis = Fis(["stopped"])
    FisFaults(fis, role, sleep=lambda _: None).end(Running("EXP1", "gray-failure in us-east-1"))
    assert fis.stopped == ["EXP1"]


def test_a_fault_of_a_second_may_be_over_before_it_is_looked_at() -> None:
    faults = FisFaults(Fis(["pending", "completed"]), lambda: "arn:role", sleep=lambda _: None)
    assert faults.begin(GRAY, [A], 1).ident == "EXP1"


def test_scopes_are_parameters_of_the_action() -> None:
    plan = FaultPlan(
        "service-errors", services=("dynamodb", "lambda"), operations=("GetItem",), parameters={"code": "X"}
    )
    found = parameters_of(plan, [A, B], 5)
    assert found["regions"] == f"{A},{B}"
    assert (found["services"], found["operations"], found["code"]) == ("dynamodb,lambda", "GetItem", "X")


def told() -> Story:
    story = Story("t", "h", A, {}, {}, sample_deployment(), [], lambda: 1000.0)
    story.mark("begin_s", 900.0)
    return story


def last(story: Story) -> StepSeen:
    return story.steps[-1]


def judged(silent: frozenset[str] = frozenset(), bad: str = "") -> Any:
    judge = Judge((A, B))
    for second in range(60):
        for vantage in SIDES:
            for region in (A, B):
                if vantage not in silent:
                    judge.add(Sample(float(second), vantage, region, region == A and vantage == bad))
        decision = judge.assess(float(second))
    return decision


def test_step_one_needs_everybody_and_says_who_is_silent() -> None:
    story = told()
    evidence.healthy(story, judged(), Latest())
    assert (last(story).state, story.steps[-1].number) == ("true", 1)
    evidence.healthy(story, judged(frozenset({"health-events"})), Latest(errors={"health events": "NotThere"}))
    assert last(story).state == "absent"
    assert "silent: health-events" in last(story).evidence
    assert "NotThere" in last(story).evidence
    evidence.healthy(story, judged(bad="probe-fresh"), Latest())
    assert last(story).state == "false"


def test_the_drill_begins_when_everybody_looks_and_every_coast_buys() -> None:
    assert evidence.everybody_looks(judged())
    assert not evidence.everybody_looks(judged(frozenset({"probe-fresh"})))
    assert not evidence.everybody_looks(judged(bad="probe-fresh"))
    east = [replace(record(901, order="o-1"), coast="east")]
    west = [replace(record(902, order="o-2"), coast="west")]
    assert not evidence.all_coasts_buy([])
    assert not evidence.all_coasts_buy(east)
    assert not evidence.all_coasts_buy([*east, replace(record(902, "error", order="o-2"), coast="west")])
    assert evidence.all_coasts_buy(east + west)


def test_step_two_is_the_nearer_region_on_both_coasts() -> None:
    story = told()
    evidence.routed(story, Latest())
    assert last(story).state == "absent"
    east, west = Told("east", ("127.0.0.1",), A, 3), Told("west", ("127.0.0.2",), B, 3)
    evidence.routed(story, Latest(told={"east": east, "west": west}))
    assert last(story).state == "true"
    evidence.routed(story, Latest(told={"east": east, "west": replace(west, region=A)}))
    assert last(story).state == "false"


def test_steps_three_and_five_are_read_from_the_log() -> None:
    story = told()
    story.records = [replace(record(901 + n, order=f"o-{n}"), coast="east") for n in range(10)]
    evidence.served(story)
    assert [step.state for step in story.steps] == ["true", "true"]
    story.records += [replace(record(920, "error"), coast="east")]
    evidence.served(story)
    assert story.steps[-2].state == "false"


class Tables:
    """Two replicas by Region."""

    def __init__(self, **replicas: Mapping[str, Mapping[str, Any]]) -> None:
        self.replicas = replicas

    def clients(self) -> Clients:
        """As on AWS, where no Region lists what another lacks."""
        made = FakeClients(lambda service, region, _: _Reader(self.replicas[region.replace("-", "_")]))
        made.kind = "aws"
        return cast(Clients, made)


class _Reader:
    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self.tables = tables

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        idents = [next(iter(key.values()))["S"] for key in request["Keys"]]
        return {"Responses": {table: [self.tables[table][i] for i in idents if i in self.tables[table]]}}

    def scan(self, **wanted: Any) -> dict[str, Any]:
        return {"Items": list(self.tables["orders-orders"].values())}


def whole(*orders: str) -> dict[str, dict[str, Any]]:
    return {
        "orders-orders": {order: item(order, f"p-{order}") for order in orders},
        "orders-products": {f"p-{order}": sold(f"p-{order}", order) for order in orders},
    }


def test_steps_four_and_six_are_read_from_the_replicas() -> None:
    story = told()
    story.records = [record(990, order="o-1")]
    clock = iter(range(1000, 2000, 5))
    evidence.replicated(story, Tables(us_east_1=whole("o-1"), us_west_2=whole("o-1")).clients(), lambda: next(clock))
    assert [(step.number, step.state) for step in story.steps] == [(4, "true"), (6, "true")]
    evidence.replicated(story, Tables(us_east_1=whole("o-1"), us_west_2=whole()).clients(), lambda: next(clock))
    assert story.steps[-1].state == "false"


def test_the_later_steps_rest_on_what_happened() -> None:
    story = told()
    story.mark("impact_s", 950.0)
    story.records = [record(960, "error"), record(961, ms=2100), record(962)]
    evidence.struck(story)
    assert last(story).evidence == f"of 3 requests to {A}, 1 failed and 1 were late"
    evidence.evacuated(story, Evacuated("left", 1.0, 2.0, 5.0, "gone"), "left")
    assert (last(story).state, last(story).evidence) == ("true", "gone; seen 3.0 s after the switch")
    story.mark("left_s", 970.0)
    story.records += [record(980 + n, region=B) for n in range(10)]
    evidence.landed(story)
    assert last(story).state == "true"
    story.records += [record(985)]
    evidence.landed(story)
    assert last(story).state == "false"
    story.returned = Returned("backed off", (Step(5, 1.0, 2.0, "bad"),), "at 5 %")
    evidence.returned(story)
    assert last(story).state == "false"


def test_the_cut_is_read_and_its_writes_are_followed_to_the_end() -> None:
    story = told()
    story.mark("switched_s", 1000.0)
    story.records = [record(990 + n / 10, order=f"o-{n}") for n in range(4)]
    early = Tables(us_east_1=whole("o-0", "o-1", "o-2", "o-3"), us_west_2=whole("o-0", "o-1"))
    aftermath.read_cut(story, early.clients())
    assert story.acknowledged == 4
    assert [risk.order_id for risk in story.risks] == ["o-2", "o-3"]
    assert (story.exact, story.left) == (False, [])
    assert story.inexact_why == "AWS keeps no list of what a replica lacks"
    later = Tables(us_east_1=whole("o-0", "o-1", "o-2", "o-3"), us_west_2=whole("o-0", "o-1", "o-2"))
    aftermath.track(story, later.clients())
    assert [risk.fate for risk in story.risks] == ["arrived", "not known"]
    aftermath.compare(story, later.clients(), "o-", {A: 1.0, B: 2.0}, patience_s=0)
    assert [risk.fate for risk in story.risks] == ["arrived", "lost"]
    assert story.convergence is not None
    assert (story.convergence.at_s, story.convergence.unequal) == (None, ("o-3",))


async def test_customers_are_processes_that_come_log_and_go(tmp_path: Path) -> None:
    async def shop(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        return reply(200, b"{}", "X-Region: us-east-1")

    def zone(name: str, subnet: str) -> list[tuple[str, int, str, str]]:
        return [(name, 5, "A", "127.0.0.1")]

    async with http_server(shop) as (port, _), dns_server(zone) as dns_port:
        deployment = replace(sample_deployment(), https_port=port, name_servers=(NameServer("127.0.0.1", dns_port),))
        keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": A}
        crowd = Crowd(
            deployment, LoadPlan(rate_per_s=50, timeout_s=0.3), {"east": "192.0.2.0/24"}, tmp_path, "run-", keys
        )
        await asyncio.to_thread(crowd.start)
        seen: list[Record] = []
        async with asyncio.timeout(20):
            while len(seen) < 3:
                seen += crowd.fresh()
                await asyncio.sleep(0.05)
        rest = await asyncio.to_thread(crowd.stop)
    assert {each.outcome for each in [*seen, *rest]} == {"timeout"}  # the test's server waits for a plain request
    assert crowd.fresh() == []


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_customers_whose_drill_has_died_go_home(tmp_path: Path) -> None:
    crowd = Crowd(sample_deployment(), LoadPlan(timeout_s=0.2), {"east": ""}, tmp_path, "run-", {})
    save(crowd._plan("east", ""), tmp_path / "plan.json")
    text = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-m', 'outlast.ops.load.run', {str(tmp_path / 'plan.json')!r}, str(os.getpid())]\n"
        "one = subprocess.Popen(command)\n"
        f"while not os.path.exists({str(tmp_path / 'requests-east.jsonl')!r}): time.sleep(0.05)\n"
        "time.sleep(1)\n"
        "print(one.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    drill = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE)
    assert drill.stdout is not None
    pid = int(await drill.stdout.readline())
    async with asyncio.timeout(60):
        while runs(pid):
            await asyncio.sleep(0.1)


async def test_sample_data_that_cannot_be_written_stops_the_drill(tmp_path: Path) -> None:
    async with dns_server(lambda *_: 2) as dns_port:
        deployment = replace(sample_deployment(), name_servers=(NameServer("127.0.0.1", dns_port),))
        crowd = Crowd(deployment, LoadPlan(), {"east": ""}, tmp_path, "run-", {})
        with pytest.raises(OpsError, match="sample data"):
            await crowd.fill(lambda: Credentials("a", "b"))


def test_step_eight_needs_an_alarm_too() -> None:
    story = told()
    story.mark("impact_s", 950.0)
    struck = Judge((A, B))
    for second in range(30):
        for vantage in SIDES:
            for region in (A, B):
                struck.add(Sample(float(second), vantage, region, region == A))
        decision = struck.assess(float(second))
    evidence.detected(story, decision)
    assert last(story).state == "false"
    story.alarms.append(AlarmChange(960.0, "us-east-2", "orders-only-us-east-1-fails", "ALARM"))
    evidence.detected(story, decision)
    assert last(story).state == "true"
    assert "after 10 s" in last(story).evidence


def test_the_role_of_the_faults_is_made_once() -> None:
    class Iam:
        made = 0

        def get_role(self, RoleName: str) -> dict[str, Any]:
            if not self.made:
                raise fault("NoSuchEntity")
            return {"Role": {"Arn": "arn:role"}}

        def create_role(self, **wanted: Any) -> dict[str, Any]:
            assert "fis.amazonaws.com" in wanted["AssumeRolePolicyDocument"]
            self.made += 1
            return {"Role": {"Arn": "arn:role"}}

    iam = Iam()
    assert [ensure_role(iam, None, sleep=lambda _: None) for _ in range(2)] == ["arn:role", "arn:role"]
    assert iam.made == 1


def test_the_role_of_the_faults_is_taken_to_be_there_while_iam_is_lost() -> None:
    class Iam:
        def get_role(self, RoleName: str) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="https://127.0.0.1:1")

    class Sts:
        def get_caller_identity(self) -> dict[str, Any]:
            return {"Account": "111122223333"}

    found = ensure_role(Iam(), Sts(), sleep=lambda _: None)
    assert found == "arn:aws:iam::111122223333:role/outlast-faults"
