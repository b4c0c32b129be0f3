"""Switches behind one verb, refusal at the gateway, replicas that go and come, failbacks that go on, two persons."""

from __future__ import annotations

import getpass
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from outlast.cli import ops_confirm, ops_guard
from outlast.ops.act import audit as audits
from outlast.ops.act.arc import Switchboard
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.boards import WeightedBoard, board_of
from outlast.ops.act.evacuate import Evacuated
from outlast.ops.act.failback import Failback
from outlast.ops.act.gateway import Gateway
from outlast.ops.act.replica import Replicas
from outlast.ops.clients import Clients
from outlast.ops.decide.rules import Decision, Finding
from outlast.ops.decide.survivors import Survivors
from outlast.ops.observe import metrics
from outlast.ops.observe.facts import gather
from outlast.ops.observe.survey import Latest
from outlast.ops.outcome import Exit, OpsError, RefusedError
from outlast.ops.plan.evacuation import plan_evacuation
from outlast.ops.plan.facts import Capacity
from outlast.ops.plan.failback import plan_failback
from outlast.ops.plan.throughput import Throughput
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.test_act import Board, Time
from tests.unit.ops.test_plan import FACTS, A, B


class Pair:
    """Home's share of each Region, and the order in which it was changed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.held, self.log, self.error = {A: 100, B: 100}, [], error  # type: ignore[var-annotated]

    def percent(self, region: str) -> int:
        if self.error:
            raise self.error
        return self.held[region]

    def set(self, region: str, percent: int) -> None:
        self.held[region] = percent
        self.log.append((region, percent))


def test_weighted_records_switch_and_never_leave_the_last_region() -> None:
    pair = Pair()
    board = WeightedBoard(pair, (A, B))
    board.set({A: False, B: True})
    assert board.states() == {A: False, B: True}
    assert pair.log == [(B, 100), (A, 0)], "the survivor first"
    with pytest.raises(RefusedError, match="no Region on"):
        board.set({B: False})
    with pytest.raises(RefusedError, match="no safety rule"):
        board.set({A: True}, ["arn:rule"])
    assert pair.held == {A: 0, B: 100}
    with pytest.raises(OpsError, match="ServiceUnavailable"):
        WeightedBoard(Pair(fault("ServiceUnavailable", status=503)), (A, B)).states()


def test_each_switch_has_its_board() -> None:
    clients = cast(Clients, FakeClients(lambda *_: None))
    assert isinstance(board_of("routing-controls", clients, sample_deployment()), Switchboard)
    assert isinstance(board_of("weighted-records", clients, sample_deployment()), WeightedBoard)


class Stage:
    """A stage with a throttle of its own."""

    def __init__(self, error: str = "") -> None:
        self.settings: dict[str, Any] = {"throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000}
        self.variables: dict[str, str] = {}
        self.error = error

    def get_stage(self, **_: Any) -> Any:
        if self.error:
            raise fault(self.error)
        return {"methodSettings": {"*/*": dict(self.settings)}, "variables": dict(self.variables)}

    def update_stage(self, *, patchOperations: list[dict[str, str]], **_: Any) -> None:
        for each in patchOperations:
            name = each["path"].rpartition("/")[2]
            if name == "rateLimit":
                self.settings["throttlingRateLimit"] = float(each["value"])
            elif name == "burstLimit":
                self.settings["throttlingBurstLimit"] = int(each["value"])
            elif each["op"] == "remove":
                del self.variables[name]
            else:
                self.variables[name] = each["value"]


def gateway(stage: Stage) -> Gateway:
    return Gateway(cast(Clients, FakeClients(lambda *_: stage)), sample_deployment())


def test_the_gateway_refuses_and_lets_in_what_it_let_in_before() -> None:
    stage = Stage()
    door = gateway(stage)
    assert not door.refuses(A)
    assert door.admit(A) is False
    door.refuse(A)
    door.refuse(A)
    assert (stage.settings["throttlingRateLimit"], stage.settings["throttlingBurstLimit"]) == (0.0, 0)
    assert door.refuses(A)
    assert door.admit(A) is True
    assert stage.settings == {"throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000}
    assert not door.refuses(A)


def test_a_gateway_that_cannot_be_changed_back_is_left_alone() -> None:
    stage = Stage()
    stage.settings = {}
    with pytest.raises(OpsError, match="no throttle of its own"):
        gateway(stage).refuse(A)
    with pytest.raises(OpsError, match="AccessDeniedException"):
        gateway(Stage("AccessDeniedException")).refuse(A)


class Tables:
    """A global table as one Region tells of it; replicas change at the second look."""

    def __init__(self, *replicas: str) -> None:
        self.replicas = dict.fromkeys(replicas, "ACTIVE")
        self.protected, self.recovery, self.updates = True, "ENABLED", []  # type: ignore[var-annotated]

    def describe_table(self, **_: Any) -> Any:
        shown = [{"RegionName": name, "ReplicaStatus": state} for name, state in self.replicas.items()]
        for name, state in list(self.replicas.items()):
            if state == "DELETING":
                del self.replicas[name]
            elif state == "CREATING":
                self.replicas[name] = "ACTIVE"
        return {"Table": {"Replicas": shown, "DeletionProtectionEnabled": self.protected}}

    def update_table(self, **arguments: Any) -> None:
        self.updates.append(arguments)
        for update in arguments.get("ReplicaUpdates", []):
            (action, given), *_ = update.items()
            self.replicas[given["RegionName"]] = "CREATING" if action == "Create" else "DELETING"
        self.protected = arguments.get("DeletionProtectionEnabled", self.protected)

    def describe_continuous_backups(self, **_: Any) -> Any:
        recovery = {"PointInTimeRecoveryStatus": self.recovery}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def update_continuous_backups(self, *, PointInTimeRecoverySpecification: Any, **_: Any) -> None:
        self.recovery = "ENABLED" if PointInTimeRecoverySpecification["PointInTimeRecoveryEnabled"] else "DISABLED"


def replicas_of(tmp_path: Path, lost: Any, survivor: Tables, told: list[str]) -> Replicas:
    made: Callable[..., Any] = lambda _, region, __: lost if region == A else survivor  # noqa: E731
    log = AuditLog(tmp_path / "audit.jsonl", "tester")
    return Replicas(cast(Clients, FakeClients(made)), sample_deployment(), log, told.append, lambda _: None)


def test_replicas_are_removed_and_rebuilt_as_well_guarded_as_the_survivor_s(tmp_path: Path) -> None:
    lost, survivor, told = Tables(A, B), Tables(A, B), []  # type: ignore[var-annotated]
    run = replicas_of(tmp_path, lost, survivor, told)
    assert run.remove(A)[:1] == ["orders-customers"]
    assert A not in survivor.replicas
    assert not lost.protected
    assert run.remove(A) == [], "an interrupted removal may be repeated"
    lost.recovery = "DISABLED"
    assert run.rebuild(A)[:1] == ["orders-customers"]
    assert survivor.replicas[A] == "ACTIVE"
    assert (lost.protected, lost.recovery) == (True, "ENABLED")
    assert run.rebuild(A) == []
    assert [entry.action for entry in audits.read(tmp_path / "audit.jsonl")] == ["replica delete", "replica create"]


def test_a_region_that_does_not_answer_is_taken_out_all_the_same(tmp_path: Path) -> None:
    def dead(**_: Any) -> Any:
        raise fault("ServiceUnavailable", status=503)

    survivor, told = Tables(A, B), []  # type: ignore[var-annotated]
    run = replicas_of(tmp_path, SimpleNamespace(describe_table=dead), survivor, told)
    assert run.remove(A)
    assert A not in survivor.replicas
    assert "does not answer" in told[0]


def test_a_replica_that_does_not_come_is_told_and_a_region_that_serves_is_kept(tmp_path: Path) -> None:
    survivor, told = Tables(B), []  # type: ignore[var-annotated]
    run = replicas_of(tmp_path, Tables(), survivor, told)
    survivor.replicas[A] = "CREATION_FAILED"
    with pytest.raises(OpsError, match="CREATION_FAILED"):
        run.remove(A)
    for states in ({A: True, B: True}, {A: False, B: False}, {}):
        with pytest.raises(RefusedError):
            run.check(A, states)
    run.check(A, {A: False, B: True})


async def test_an_interrupted_failback_goes_on_from_where_it_was(tmp_path: Path) -> None:
    well = replace(FACTS, health={A: "healthy", B: "healthy"}, states={A: True, B: True})
    plan = plan_failback(A, (A, B), well, steps=(5, 25, 50, 100), watch_s=1, reviewed=True, percent=25)
    assert (plan.resumed_at, plan.steps) == (25, (50, 100))
    home = plan_failback(A, (A, B), well, reviewed=True, percent=100)
    assert (home.steps, home.refused) == ((), ()), "whoever has all its traffic does not lose it to be given it again"
    assert any("there is nothing to give back" in check.text for check in home.checks)
    off = replace(well, states={A: False, B: True})
    assert plan_failback(A, (A, B), off, reviewed=True, percent=25).resumed_at == 0
    pair, time, board = Pair(), Time(), Board()
    pair.held[A] = 25
    log = AuditLog(tmp_path / "audit.jsonl", "tester", time.now_s)
    run = Failback(board, pair, log, lambda: "", time.now_s, time.sleep)
    assert (await run.run(plan)).ending == "returned"
    assert pair.log == [(A, 50), (A, 100)]
    pair.log.clear()
    assert (await run.run(home)).ending == "returned"
    assert pair.log == []
    assert plan_failback(A, (A, B), off, reviewed=True, percent=100).steps == (5, 25, 50, 100)
    worse = Failback(board, pair, log, lambda: "it fails", time.now_s, time.sleep)
    pair.log.clear()
    assert (await worse.run(plan)).ending == "backed off"
    assert pair.log == [(A, 50), (A, 25)], "back to where it went on from"


async def test_weights_that_cannot_be_changed_say_where_the_region_stands(tmp_path: Path) -> None:
    """Route 53's control plane dies half way: no traceback, and the same command goes on later."""
    well = replace(FACTS, health={A: "healthy", B: "healthy"}, states={A: True, B: True})
    plan = plan_failback(A, (A, B), well, watch_s=1, unreviewed=0, percent=5)
    pair, time = Pair(), Time()

    def dies(region: str, percent: int) -> None:
        if percent > 25:
            raise fault("ServiceUnavailable", status=503)
        pair.log.append((region, percent))

    pair.set = dies  # type: ignore[method-assign]
    log = AuditLog(tmp_path / "audit.jsonl", "tester", time.now_s)
    with pytest.raises(
        OpsError, match=r"to 50 % \(ServiceUnavailable\): it stays at 25 %; `outlast failback us-east-1`"
    ):
        await Failback(Board(), pair, log, lambda: "", time.now_s, time.sleep).run(plan)
    assert pair.log == [(A, 25)]


def test_the_plan_for_replicas_says_what_is_given_up(tmp_path: Path) -> None:
    run = replicas_of(tmp_path, Tables(A, B), Tables(A, B), [])
    told = {check.name: (check.weight, check.text) for check in run.plan(A, "remove", {"orders-orders": 3})}
    assert told["orders-orders"] == (
        "warning", "leaves us-east-1; 3 acknowledged writes that are there alone are given up",
    )  # fmt: skip
    assert told["orders-products"][0] == "fine"
    assert {check.weight for check in run.plan(A, "remove", None)} == {"unknown"}
    assert {check.text for check in run.plan(A, "rebuild")} == {"is there already"}
    gone = replicas_of(tmp_path, Tables(), Tables(B), [])
    assert {check.text for check in gone.plan(A, "remove", {})} == {"is not there any more"}
    assert all("is made anew in us-east-1" in check.text for check in gone.plan(A, "rebuild"))


def test_offline_plans_know_what_was_let_in_when_the_file_was_written() -> None:
    units = Throughput(5.0, {"orders": {"read": {"the read quota": 9.0}}}, {"orders": {"read": 1.0}})
    capacity = {B: {"throttle_rps": 500.0, "concurrency": 100.0}}
    deployment = replace(sample_deployment(), capacity=capacity, throughput={B: units.document()})

    def dead(*_: Any) -> Any:
        raise AssertionError("offline asks nobody but the board")

    board = Board()
    facts = gather(cast(Clients, FakeClients(dead)), deployment, Latest(), None, 0.0, offline=True, board=board)
    assert facts.capacity == {B: Capacity(500.0, 100)}
    assert facts.throughput == {B: units}
    assert facts.noted_s == deployment.made_s == 1767225600.0
    assert replace(deployment, made_at="yesterday").made_s is None
    assert facts.states == {A: True, B: True}


@pytest.mark.parametrize(
    ("answers", "agreed"),
    [
        (["Robin", "agree to evacuate x"], True),
        (["", "agree to evacuate x"], False),
        (["Robin", "yes"], False),
        ([getpass.getuser(), "agree to evacuate x"], False),
    ],
)
async def test_a_second_person_is_somebody_else(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], agreed: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))
    if agreed:
        assert await ops_confirm.second("evacuate x") == "Robin"
        return
    with pytest.raises(RefusedError, match="nothing was changed"):
        await ops_confirm.second("evacuate x")


def decided(states: dict[str, Any]) -> Decision:
    findings = tuple(Finding(region, state, 0.0, ()) for region, state in states.items())
    return Decision(0.0, "none", "", "", (), findings)


def test_a_survivor_that_turns_customers_away_is_worse_off() -> None:
    survivors = Survivors.of((B,), {A: 0.5, B: 0.04})
    well = decided({A: "impaired", B: "healthy"})
    assert survivors.worse(well, {B: 0.13}) == ""
    assert survivors.worse(well, {}) == ""
    assert "turns away 20%" in survivors.worse(well, {A: 1.0, B: 0.20})
    assert survivors.worse(decided({A: "impaired", B: "impaired"}), {}) == "us-west-2 is impaired"
    assert "turns away" in Survivors.of((B,), {}).worse(well, {B: 0.11})


def test_few_requests_tell_nothing_of_refusals() -> None:
    assert metrics.refused_share({"count": [(1.0, 19.0)], "refused": [(1.0, 19.0)]}) is None
    assert metrics.refused_share({"count": [(1.0, 20.0)], "refused": [(1.0, 5.0)]}) == 0.25
    assert metrics.refused_share({"count": [(1.0, 20.0)]}) == 0.0
    assert metrics.refused_share({}) is None


def test_a_guard_does_not_act_against_any_doubt() -> None:
    assert ops_guard.objections(plan_evacuation(A, "it fails", (A, B), FACTS)) == []
    for doubt, text in (
        (replace(FACTS, health={A: "impaired", B: "suspect"}), "not certain"),
        (replace(FACTS, health={A: "impaired", B: "impaired"}), "impaired itself"),
        (replace(FACTS, states={A: True, B: False}), "not known to be on"),
        (replace(FACTS, states={}), "not known to be on"),
    ):
        assert text in "; ".join(ops_guard.objections(plan_evacuation(A, "it fails", (A, B), doubt)))


async def test_a_guard_says_why_before_it_asks_and_writes_down_who_did_not_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_evacuation(A, "it fails", (A, B), FACTS)
    decision = replace(decided({A: "impaired", B: "healthy"}), action="evacuate", region=A, why="it fails")
    decision = replace(decision, dissent=("heartbeat says good",))
    audit = AuditLog(tmp_path / "audit.jsonl", "tester", lambda: 1.0)
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\n"))
    with pytest.raises(RefusedError, match="not confirmed"):
        await ops_guard.ask(plan, decision, audit, yes=False)
    told = capsys.readouterr().err
    assert told.index("it fails") < told.index("heartbeat says good") < told.index("to go on")
    assert [(each.action, each.detail["against"]) for each in audits.read(audit.path)] == [
        ("not left", "it was not confirmed")
    ]
    await ops_guard.ask(plan, decision, audit, yes=True)
    assert len(audits.read(audit.path)) == 1


def test_what_changed_while_somebody_read_the_plan_is_seen() -> None:
    plan = plan_evacuation(A, "it fails", (A, B), FACTS)
    assert ops_guard.overtaken(plan, decided({A: "impaired", B: "healthy"})) == ""
    assert ops_guard.overtaken(plan, decided({A: "suspect", B: "suspect"})) == "", "it was agreed to knowing that"
    assert "us-east-1 is healthy by now" in ops_guard.overtaken(plan, decided({A: "healthy", B: "healthy"}))
    assert "us-west-2 is impaired by now" in ops_guard.overtaken(plan, decided({A: "impaired", B: "impaired"}))


def test_a_guard_that_was_agreed_with_sees_whom_another_has_switched_meanwhile() -> None:
    class Silent(Board):
        def states(self) -> dict[str, bool]:
            raise OpsError("no endpoint answers")

    plan, board = plan_evacuation(A, "it fails", (A, B), FACTS), Board()
    assert ops_guard.overruled(plan, board) == ""
    board.on = {A: False, B: True}
    assert ops_guard.overruled(plan, board) == "", "the same was done: nothing is lost"
    board.on = {A: True, B: False}
    told = ops_guard.overruled(plan, board)
    assert told == "Somebody else has switched since this plan was made: us-west-2 is off now. Look, and plan again"
    assert ops_guard.overruled(plan, Silent()) == "", "the switch itself will tell"


def test_after_a_switch_was_taken_back_nothing_is_left_unasked_for_ten_minutes(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert ops_guard.taken_back(path, 1000.0) == ""
    AuditLog(path, "somebody", lambda: 1000.0).add("rolled back", controls={A: True}, why="us-west-2 is impaired")
    AuditLog(path, "somebody", lambda: 1001.0).add("not left", region=A)
    told = ops_guard.taken_back(path, 1040.0)
    assert "at 1970-01-01 00:16:40+00:00 (us-west-2 is impaired)" in told
    assert ops_guard.taken_back(path, 1041.0) == told, "it is written down once, not each second"
    assert ops_guard.taken_back(path, 990.0), "a clock that was set back"
    assert ops_guard.taken_back(path, 1600.0) == ""
    path.write_text("no entry\n")
    assert "not known" in ops_guard.taken_back(path, 2000.0)


def test_a_recommendation_leaves_something_to_do() -> None:
    advice = replace(decided({A: "impaired", B: "healthy"}), action="evacuate", region=A)
    left = Evacuated("left", 0.0, 0.0, 1.0, "")
    assert ops_guard.exit_of(advice, None) is Exit.MISSED
    assert ops_guard.exit_of(advice, left) is Exit.GOOD
    assert ops_guard.exit_of(advice, replace(left, ending="rolled back")) is Exit.MISSED
    assert ops_guard.exit_of(advice, replace(left, ending="no way back")) is Exit.UNDECIDED
    assert ops_guard.exit_of(replace(advice, action="none"), None) is Exit.GOOD
