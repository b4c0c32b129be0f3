"""The library of drills keeps its schema; stop conditions stop; faults come and go in time; changes are taken back."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest
import yaml

from outlast.ops.act.audit import AuditLog, read
from outlast.ops.clients import Clients
from outlast.ops.drill.aftermath import bury
from outlast.ops.drill.changes import CHANGES, EVACUATION, WithChanges
from outlast.ops.drill.faults import FisFaults, Running, parameters_of
from outlast.ops.drill.file import DrillFile, FaultPlan, library, parse
from outlast.ops.drill.injection import Injection
from outlast.ops.drill.journal import Journal
from outlast.ops.drill.story import Story
from outlast.ops.drill.writes import AtRisk
from outlast.ops.load.log import Record
from outlast.ops.outcome import OpsError, UsageError
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment

A, B = "us-east-1", "us-west-2"
FOLDER = resources.files("outlast.ops.drill")
SCHEMA = json.loads(FOLDER.joinpath("schema.json").read_text())
TEXTS = {each.name: each.read_text() for each in FOLDER.joinpath("library").iterdir() if each.name.endswith(".yaml")}
WANTED = {
    "gray-failure", "region-killed", "region-destroyed", "link-cut", "replication-paused", "control-planes-lost",
    "dns-empty", "stale-clients", "capacity-shortfall", "bad-deployment", "two-faults", "both-regions",
    "us-east-1-october-2025",
}  # fmt: skip
BARE = "name: x\nhypothesis: h\nfault: {kind: link-cut}\n"


def test_the_library_holds_what_it_promises() -> None:
    drills = library()
    assert set(drills) == WANTED
    for drill in drills.values():
        assert drill.hypothesis
        assert drill.expect
        assert drill.stop.conditions
        assert drill.rollback
    assert drills["us-east-1-october-2025"].source.startswith("https://aws.amazon.com/message/")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_drill_keeps_the_schema(name: str) -> None:
    jsonschema.validate(yaml.safe_load(TEXTS[name]), SCHEMA)


def test_schema_and_parser_agree_on_members_and_kinds() -> None:
    assert set(SCHEMA["properties"]) == set(DrillFile.__slots__)
    assert set(SCHEMA["$defs"]["fault"]["properties"]) == set(FaultPlan.__slots__)
    fault_members = set(SCHEMA["$defs"]["fault"]["properties"])
    assert fault_members == set(FaultPlan.__slots__)
    assert set(SCHEMA["$defs"]["fault"]["properties"]["kind"]["enum"]) >= CHANGES
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(BARE), "stopp": []}, SCHEMA)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("stop: [rto <= 5 s]", "rto is not measured"),
        ("ending: fled", "ending must be one of left"),
        ("rollback: [end-faults]", "as many members"),
        ("rollback: [end-faults, end-faults, controls-on]", "twice"),
    ],
)
def test_a_drill_that_cannot_stop_is_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(BARE + line, "x.yaml")


def requests(region: str, count: int, bad: int, ended_s: float) -> list[Record]:
    one = Record(ended_s, 0.0, "c", "east", False, "order", "served", 201, region=region)
    return [replace(one, outcome="error" if number < bad else "served") for number in range(count)]


def test_stop_conditions_look_at_the_last_ten_seconds() -> None:
    stop = parse(BARE + "stop: [bad_share_elsewhere > 20 %, elapsed > 100 s]", "x").stop
    old, now = requests(B, 50, 50, 80.0), requests(B, 40, 4, 99.0)
    assert stop.tripped([*old, *now], A, 50.0, 100.0) == ""
    assert "bad_share_elsewhere" in stop.tripped([*old, *requests(B, 40, 10, 99.0)], A, 50.0, 100.0)
    assert stop.tripped(requests(A, 40, 40, 99.0), A, 50.0, 100.0) == "", "the Region that is hit may fail"
    assert stop.tripped(requests(B, 19, 19, 99.0), A, 50.0, 100.0) == "", "too few to say"
    assert "elapsed" in stop.tripped([], A, 50.0, 151.0)
    assert parse(BARE, "x").stop.tripped(requests(B, 99, 99, 99.0), A, 0.0, 100.0) == ""


class Recorder:
    """Faults that are only written down."""

    def __init__(self, stuck: str = "") -> None:
        self.log: list[str] = []
        self.stuck = stuck
        self.lost = False
        """Whether a fault has begun without anybody hearing of it."""

    def begin(self, plan: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        if plan.kind == self.stuck:
            raise OpsError(f"{plan.kind} does not begin")
        self.log.append(f"begin {plan.kind} {','.join(regions)} {duration_s:.0f}")
        return Running(plan.kind, plan.kind)

    def end(self, running: Running) -> None:
        self.log.append(f"end {running.ident}")

    def under_way(self, what: str, since_s: float) -> list[Running]:
        return [Running("found", what)] if self.lost else []


def injection(faults: Any, tmp_path: Path) -> Injection:
    log = AuditLog(tmp_path / "audit.jsonl", "tester")
    return Injection(faults, log, {"first": A, "second": B}.get, lambda _: None, 600.0)  # type: ignore[arg-type]


def test_a_fault_that_begins_while_the_drill_is_stopped_is_ended_too(tmp_path: Path) -> None:
    entered, go = threading.Event(), threading.Event()

    class Slow(Recorder):
        def begin(self, plan: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
            entered.set()
            assert go.wait(20)
            return super().begin(plan, regions, duration_s)

    faults = Slow()

    async def play() -> None:
        all_of_it = injection(faults, tmp_path)
        drill = asyncio.create_task(all_of_it.begin([FaultPlan("one")], A))
        await asyncio.to_thread(entered.wait, 20)
        drill.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(asyncio.CancelledError):
            await drill
        assert all_of_it.active
        all_of_it.end()

    asyncio.run(play())
    assert faults.log == [f"begin one {A} 600", "end one"]


def test_faults_begin_in_time_and_end_in_reverse(tmp_path: Path) -> None:
    faults = Recorder()
    plans = [
        FaultPlan("later", after_s=0.01),
        FaultPlan("one", ("first", "second")),
        FaultPlan("two", for_s=5),
        FaultPlan("never", after_s=3600),
    ]

    async def play() -> None:
        all_of_it = injection(faults, tmp_path)
        assert not all_of_it.active
        await all_of_it.begin(plans, A)
        while len(all_of_it._running) < 3:
            all_of_it.check()
            await asyncio.sleep(0.005)
        all_of_it.hush()
        await asyncio.to_thread(all_of_it.end)
        assert not all_of_it.active

    asyncio.run(play())
    assert faults.log == [
        f"begin one {A},{B} 600", f"begin two {A} 5", f"begin later {A} 600", "end later", "end two", "end one",
    ]  # fmt: skip
    assert [entry.action for entry in read(tmp_path / "audit.jsonl")] == ["fault"] * 3 + ["fault ended"] * 3


def test_a_later_fault_that_does_not_begin_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        all_of_it = injection(Recorder(stuck="later"), tmp_path)
        await all_of_it.begin([FaultPlan("later", after_s=0.001)], A)
        while True:
            all_of_it.check()
            await asyncio.sleep(0.01)

    with pytest.raises(OpsError, match="later does not begin"):
        asyncio.run(play())


def test_a_later_fault_that_does_not_begin_once_the_drill_is_over_is_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on, notes = threading.Event(), threading.Event(), list[str]()

    class Slow(Recorder):
        def begin(self, plan: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
            begun.set()
            go_on.wait()
            raise OpsError("it does not")

    async def play() -> None:
        all_of_it = injection(Slow(), tmp_path)
        all_of_it.note = notes.append
        await all_of_it.begin([FaultPlan("later", after_s=0.001)], A)
        await asyncio.to_thread(begun.wait)
        all_of_it.hush()
        go_on.set()
        while not notes:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(all_of_it.end)

    asyncio.run(play())
    assert notes == ["later did not begin: it does not"]
    assert not caplog.records


def test_lists_go_to_fis_as_words() -> None:
    plan = FaultPlan("dns-empty", parameters={"names": ["a.example", "b.example"]})
    assert parameters_of(plan, [A], 5)["names"] == "a.example,b.example"


class Lambda:
    """A function with one alias."""

    def __init__(self) -> None:
        self.alias, self.versions, self.code = "1", ["1"], "functions/good.zip"

    def list_aliases(self, **_: Any) -> Any:
        return {"Aliases": [{"Name": "live", "FunctionVersion": self.alias}]}

    def get_function_configuration(self, **_: Any) -> Any:
        return {"Handler": "orders.app.handler", "Description": "functions/good.zip"}

    def update_function_code(self, *, FunctionName: str, ZipFile: bytes = b"", S3Key: str = "", **_: Any) -> None:
        self.code = S3Key or zipfile.ZipFile(io.BytesIO(ZipFile)).read("orders/app.py").decode()

    def get_waiter(self, name: str) -> Any:
        assert name == "function_updated_v2"
        return SimpleNamespace(wait=lambda **_: None)

    def publish_version(self, **_: Any) -> Any:
        self.versions.append("2")
        return {"Version": "2"}

    def update_alias(self, *, FunctionVersion: str, **_: Any) -> None:
        self.alias = FunctionVersion

    def delete_function(self, *, Qualifier: str, **_: Any) -> None:
        self.versions.remove(Qualifier)


class Stage:
    def __init__(self) -> None:
        self.limits = {"throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000}

    def get_stage(self, **_: Any) -> Any:
        return {"methodSettings": {"*/*": dict(self.limits)}}

    def update_stage(self, *, patchOperations: list[dict[str, str]], **_: Any) -> None:
        for each in patchOperations:
            name = {"rateLimit": "throttlingRateLimit", "burstLimit": "throttlingBurstLimit"}[
                each["path"].removeprefix("/*/*/throttling/")
            ]
            self.limits[name] = float(each["value"])


def with_changes(made: Mapping[str, Any], world: Recorder, journal: Journal | None = None) -> WithChanges:
    clients = cast(Clients, FakeClients(lambda service, *_: made[service]))
    return WithChanges(world, clients, sample_deployment(), journal or Journal())


def test_a_bad_release_is_made_and_taken_back() -> None:
    function, world = Lambda(), Recorder()
    faults = with_changes({"lambda": function}, world)
    running = faults.begin(FaultPlan("bad-release"), [A], 60)
    assert (function.alias, "raise RuntimeError" in function.code) == ("2", True)
    faults.end(running)
    assert (function.alias, function.versions, function.code) == ("1", ["1"], "functions/good.zip")
    assert world.log == []


def test_a_low_limit_is_set_and_taken_back() -> None:
    stage = Stage()
    faults = with_changes({"apigateway": stage}, Recorder())
    running = faults.begin(FaultPlan("low-limit", parameters={"rate_per_s": 17}), [B], 60)
    assert stage.limits == {"throttlingRateLimit": 17.0, "throttlingBurstLimit": 17}
    faults.end(running)
    assert stage.limits == {"throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000}
    with pytest.raises(UsageError, match="rate_per_s"):
        faults.begin(FaultPlan("low-limit"), [B], 60)
    with pytest.raises(UsageError, match="one Region"):
        faults.begin(FaultPlan("low-limit", parameters={"rate_per_s": 1}), [A, B], 60)


def test_what_a_killed_drill_has_left_is_put_back_by_the_next(tmp_path: Path) -> None:
    made, path = {"lambda": Lambda(), "apigateway": Stage()}, tmp_path / "changes.json"
    first = with_changes(made, Recorder(), Journal(path))
    first.begin(FaultPlan("bad-release"), [A], 60)
    first.begin(FaultPlan("low-limit", parameters={"rate_per_s": 17}), [B], 60)
    audit = AuditLog(tmp_path / "audit.jsonl", "tester")
    later = with_changes(made, Recorder(), Journal(path))
    with pytest.raises(OpsError, match="clean-up"):
        later.begin(FaultPlan("bad-release"), [A], 60)
    assert later.clean_up(audit) == ["bad-release in us-east-1", "low-limit in us-west-2"]
    assert (made["lambda"].alias, made["lambda"].versions) == ("1", ["1"])  # type: ignore[attr-defined]
    assert made["apigateway"].limits["throttlingRateLimit"] == 500.0  # type: ignore[attr-defined]
    assert not path.exists()
    assert later.clean_up(audit) == []
    assert [each.action for each in read(tmp_path / "audit.jsonl")] == ["change taken back"] * 2
    path.write_text("[")
    with pytest.raises(OpsError, match="cannot be read"):
        later.clean_up(audit)


def test_faults_of_the_world_and_the_evacuation_of_a_killed_drill_are_put_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changes.json"
    home: list[str] = []
    world = Recorder()
    with_changes({}, world, Journal(path)).begin(FaultPlan("gray-failure"), [A], 60)
    Journal(path).put(EVACUATION, EVACUATION, A, {})
    later = with_changes({}, world, Journal(path))
    monkeypatch.setattr(WithChanges, "_bring_home", lambda _, region: home.append(region))
    left = later.clean_up(AuditLog(tmp_path / "audit.jsonl", "tester"))
    assert left == ["gray-failure in us-east-1", "evacuation in us-east-1"]
    assert world.log == ["begin gray-failure us-east-1 60", "end gray-failure"]
    assert (home, path.exists()) == ([A], False)
    faults = with_changes({}, world, Journal(path))
    faults.end(faults.begin(FaultPlan("link-cut"), [A, B], 5))
    assert not path.exists(), "nothing is left of a fault that was ended"


def test_a_fault_that_a_drill_was_killed_in_the_beginning_of_is_found_by_what_it_does(tmp_path: Path) -> None:
    class Killed(Recorder):
        def begin(self, plan: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
            raise KeyboardInterrupt

    path = tmp_path / "changes.json"
    with pytest.raises(KeyboardInterrupt):
        with_changes({}, Killed(), Journal(path)).begin(FaultPlan("gray-failure"), [A], 60)
    world = Recorder()
    world.lost = True
    audit = AuditLog(tmp_path / "audit.jsonl", "tester")
    assert with_changes({}, world, Journal(path)).clean_up(audit) == ["gray-failure in us-east-1"]
    assert (world.log, path.exists()) == (["end found"], False)
    refused = Recorder("gray-failure")
    with pytest.raises(OpsError, match="does not begin"):
        with_changes({}, refused, Journal(path)).begin(FaultPlan("gray-failure"), [A], 60)
    assert not path.exists()

    def silent(*_: Any) -> list[Running]:
        raise fault("ServiceUnavailable")

    refused.under_way = silent  # type: ignore[method-assign]
    with pytest.raises(OpsError, match="does not begin Whether it began is not known"):
        with_changes({}, refused, Journal(path)).begin(FaultPlan("gray-failure"), [A], 60)
    assert [each.what for each in Journal(path).read().values()] == ["gray-failure in us-east-1"]


def test_a_drill_killed_between_the_release_and_its_number_is_put_back_all_the_same(tmp_path: Path) -> None:
    function, journal = Lambda(), Journal(tmp_path / "changes.json")
    function.publish_version = lambda **_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        with_changes({"lambda": function}, Recorder(), journal).begin(FaultPlan("bad-release"), [A], 60)
    assert "raise RuntimeError" in function.code
    later = with_changes({"lambda": function}, Recorder(), journal)
    later.end(Running("bad-release-us-east-1", ""))
    assert (function.alias, function.code, journal.read()) == ("1", "functions/good.zip", {})


def test_what_is_no_change_goes_to_the_world_and_a_change_that_fails_is_told() -> None:
    world = Recorder()
    faults = with_changes({}, world)
    faults.end(faults.begin(FaultPlan("link-cut"), [A, B], 5))
    assert world.log == [f"begin link-cut {A},{B} 5", "end link-cut"]
    broken = SimpleNamespace(list_aliases=lambda **_: (_ for _ in ()).throw(fault("AccessDeniedException")))
    with pytest.raises(OpsError, match="AccessDenied"):
        with_changes({"lambda": broken}, world).begin(FaultPlan("bad-release"), [A], 5)


def test_the_role_is_looked_up_once_since_the_first_fault_may_be_iam_s_own() -> None:
    asked: list[str] = []

    class Fis:
        def create_experiment_template(self, **arguments: Any) -> Any:
            assert arguments["roleArn"] == "arn:role"
            return {"experimentTemplate": {"id": "T"}}

        def start_experiment(self, **_: Any) -> Any:
            return {"experiment": {"id": "E"}}

        def get_experiment(self, **_: Any) -> Any:
            return {"experiment": {"state": {"status": "running"}}}

    faults = FisFaults(Fis(), lambda: asked.append("role") or "arn:role")  # type: ignore[func-returns-value]
    assert asked == []
    for kind in ("control-plane-lost", "gray-failure"):
        faults.begin(FaultPlan(kind), [A], 5)
    assert asked == ["role"]


def test_what_the_survivor_of_a_destroyed_region_lacks_is_lost() -> None:
    """One order arrived after the cut, one never did; there is nothing to compare with."""

    class Survivor:
        def batch_get_item(self, RequestItems: Any) -> Any:
            ((table, _),) = RequestItems.items()
            order = {"order_id": {"S": "o-1"}, "product_id": {"S": "p-1"}}
            product = {"product_id": {"S": "p-1"}, "sold_to_order": {"S": "o-1"}}
            return {"Responses": {table: [order if table.endswith("orders") else product]}}

        def scan(self, **_: Any) -> Any:
            return {"Items": [{"order_id": {"S": "o-1"}, "product_id": {"S": "p-1"}}]}

    told = Story("t", "h", A, {}, {}, sample_deployment(), [], lambda: 0.0)
    told.risks = [AtRisk(f"o-{number}", f"p-{number}", A, 0.0, "missing") for number in (1, 2)]
    bury(told, cast(Clients, FakeClients(lambda *_: Survivor())), "")
    assert [risk.fate for risk in told.risks] == ["arrived", "lost"]
    assert told.convergence is None
    assert parse(BARE + "ending: gone", "x").ending == "gone"
