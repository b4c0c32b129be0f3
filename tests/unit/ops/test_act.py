"""Acting: shown plans are carried out, looked after, taken back when they hurt, and written down."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from outlast.ops.act import audit as audits
from outlast.ops.act.audit import AuditLog
from outlast.ops.act.evacuate import Evacuator
from outlast.ops.act.failback import Failback
from outlast.ops.act.patience import patience_for, period_of
from outlast.ops.act.weights import Weights
from outlast.ops.clients import Clients
from outlast.ops.names import NameServer, NoAnswer, Resolved
from outlast.ops.outcome import OpsError, OverruledError, RefusedError, UncertainError
from outlast.ops.plan.evacuation import EvacuationPlan, plan_evacuation
from outlast.ops.plan.failback import plan_failback
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.test_plan import FACTS, WELL, A, B


class Time:
    """Virtual time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_s(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Board:
    def __init__(self, error: Exception | None = None) -> None:
        self.on = {A: True, B: True}
        self.error = error
        self.overridden: list[str] = []

    def states(self) -> dict[str, bool]:
        return dict(self.on)

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
        if self.error:
            raise self.error
        self.on.update(wanted)
        self.overridden += override


class Dns:
    """Answers with A while its control is on and for a TTL after; `stuck` for ever."""

    def __init__(self, board: Board, time: Time, stuck: bool = False) -> None:
        self.board, self.time, self.stuck = board, time, stuck
        self.off_s: float | None = None

    async def resolve(self, name: str) -> Resolved:
        if self.off_s is None and not self.board.on[A]:
            self.off_s = self.time.now
        old = self.off_s is None or self.time.now < self.off_s + 3
        region = A if old or self.stuck else B
        return Resolved(("127.0.0.1",), (f"d-1.execute-api.{region}.amazonaws.com",), 5, NameServer("x"))


class Dead:
    async def resolve(self, name: str) -> Resolved:
        raise NoAnswer("silent")


def evacuator(
    tmp_path: Path, board: Board, time: Time, *, stuck: bool = False, worse: Callable[[], str] = lambda: ""
) -> Evacuator:
    log = AuditLog(tmp_path / "audit.jsonl", "tester", time.now_s)
    names = {"east": Dns(board, time, stuck), "west": Dns(board, time)}
    return Evacuator(board, names, "orders.test", log, worse, time.now_s, time.sleep)


def actions(tmp_path: Path) -> list[str]:
    entries = audits.read(tmp_path / "audit.jsonl")
    assert audits.verify(entries) == ""
    return [entry.action for entry in entries]


PLAN = plan_evacuation(A, "it fails", (A, B), FACTS)


def both_on() -> EvacuationPlan:
    """A plan to leave the first Region, made while both were on."""
    return replace(plan_evacuation(A, "test", (A, B), WELL), before={A: True, B: True})


async def test_an_evacuation_switches_and_looks_whether_customers_are_sent_elsewhere(tmp_path: Path) -> None:
    board, time = Board(), Time()
    result = await evacuator(tmp_path, board, time).run(PLAN, watch_s=5)
    assert result.ending == "left"
    assert board.on == {A: False, B: True}
    assert result.seen_s == 1003.0
    assert actions(tmp_path) == ["evacuate", "switched", "left"]


async def test_dns_that_does_not_follow_is_told(tmp_path: Path) -> None:
    time = Time()
    result = await evacuator(tmp_path, Board(), time, stuck=True).run(PLAN)
    assert result.ending == "not seen"
    assert time.now == pytest.approx(1000 + PLAN.expected_s + 10, abs=1)
    assert actions(tmp_path)[-1] == "not seen"


async def test_silent_dns_is_not_taken_for_success(tmp_path: Path) -> None:
    run = evacuator(tmp_path, Board(), Time())
    run.names = {"east": Dead()}
    assert (await run.run(PLAN)).ending == "not seen"


async def test_survivors_that_worsen_take_it_back(tmp_path: Path) -> None:
    board, time = Board(), Time()
    worse = lambda: "us-west-2 is impaired" if time.now > 1005 else ""  # noqa: E731
    result = await evacuator(tmp_path, board, time, worse=worse).run(PLAN, watch_s=30)
    assert result.ending == "rolled back"
    assert result.text == "the switch was taken back: us-west-2 is impaired"
    assert board.on == {A: True, B: True}
    assert actions(tmp_path) == ["evacuate", "switched", "rolled back"]


async def test_a_refused_plan_changes_nothing_unless_the_glass_is_broken(tmp_path: Path) -> None:
    from dataclasses import replace

    refused = plan_evacuation(A, "x", (A, B), replace(FACTS, health={B: "impaired"}))
    board, time = Board(), Time()
    with pytest.raises(RefusedError, match="impaired itself"):
        await evacuator(tmp_path, board, time).run(refused)
    assert board.on == {A: True, B: True}
    assert not (tmp_path / "audit.jsonl").exists()
    await evacuator(tmp_path, board, time).run(refused, break_glass="all lost anyway", rule="arn:rule")
    assert board.on == {A: False, B: True}
    assert board.overridden == ["arn:rule"]


async def test_a_switch_that_fails_is_written_down(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="no endpoint"):
        await evacuator(tmp_path, Board(OpsError("no endpoint")), Time()).run(PLAN)
    assert actions(tmp_path) == ["evacuate", "not switched"]


async def test_a_switch_of_which_nobody_can_tell_is_written_down_as_that(tmp_path: Path) -> None:
    with pytest.raises(UncertainError):
        await evacuator(tmp_path, Board(UncertainError("no answer")), Time()).run(PLAN)
    assert actions(tmp_path) == ["evacuate", "perhaps switched"]


class Pair:
    def __init__(self) -> None:
        self.history: list[int] = []

    def percent(self, region: str) -> int:
        return self.history[-1]

    def set(self, region: str, percent: int) -> None:
        self.history.append(percent)


def failback(tmp_path: Path, board: Board, pair: Pair, time: Time, worse: Callable[[], str]) -> Failback:
    log = AuditLog(tmp_path / "audit.jsonl", "tester", time.now_s)
    return Failback(board, pair, log, worse, time.now_s, time.sleep)


async def test_a_failback_gives_way_to_an_evacuation_that_began_meanwhile(tmp_path: Path) -> None:
    board, pair, time = Board(), Pair(), Time()
    board.on[A] = False
    plan = plan_failback(A, (A, B), WELL, watch_s=10)
    run = failback(tmp_path, board, pair, time, lambda: "")
    run.on_step = lambda step: board.set({A: step.percent < 25})
    result = await run.run(plan)
    assert (result.ending, result.steps[-1].percent) == ("backed off", 50)
    assert "switched off by somebody else" in result.text
    assert not board.on[A]


async def test_a_failback_raises_the_weight_step_by_step(tmp_path: Path) -> None:
    board, pair, time = Board(), Pair(), Time()
    board.on[A] = False
    plan = plan_failback(A, (A, B), WELL, watch_s=10)
    result = await failback(tmp_path, board, pair, time, lambda: "").run(plan)
    assert result.ending == "returned"
    assert pair.history == [0, 5, 25, 50, 100]
    assert board.on[A]
    assert [step.judged_s - step.set_s for step in result.steps] == [15.0] * 4
    assert actions(tmp_path)[:3] == ["fail back", "weighted", "switched"]


async def test_a_step_that_worsens_is_taken_back(tmp_path: Path) -> None:
    board, pair, time = Board(), Pair(), Time()
    plan = plan_failback(A, (A, B), WELL, watch_s=10)
    worse = lambda: "A fails" if time.now > 1020 else ""  # noqa: E731
    result = await failback(tmp_path, board, pair, time, worse).run(plan)
    assert result.ending == "backed off"
    assert pair.history == [0, 5, 25, 5]
    assert actions(tmp_path)[-1] == "backed off"


class Stuck(Pair):
    """Its control plane is lost once the Region has a quarter of its traffic."""

    def set(self, region: str, percent: int) -> None:
        if self.history and self.history[-1] == 25:
            raise fault("ServiceUnavailable", status=503)
        super().set(region, percent)


async def test_where_weights_cannot_be_moved_back_the_region_is_switched_off_again(tmp_path: Path) -> None:
    board, pair, time = Board(), Stuck(), Time()
    board.on[A] = False
    plan = plan_failback(A, (A, B), WELL, watch_s=10)
    worse = lambda: "A fails" if time.now > 1020 else ""  # noqa: E731
    result = await failback(tmp_path, board, pair, time, worse).run(plan)
    assert result.ending == "backed off"
    assert result.text == f"at 25 %: A fails; its weights could not be moved, so {A} was switched off again"
    assert board.on == {A: False, B: True}
    assert actions(tmp_path)[-2:] == ["switched", "backed off"]


async def test_where_neither_can_be_moved_back_both_reasons_are_told(tmp_path: Path) -> None:
    board, pair, time = Board(), Stuck(), Time()
    plan = plan_failback(A, (A, B), WELL, watch_s=10)
    run = failback(tmp_path, board, pair, time, lambda: "A fails" if time.now > 1020 else "")

    def lose(_: object) -> None:
        board.error = OpsError("no endpoint answers")

    run.on_step = lose
    with pytest.raises(OpsError, match=r"A fails; .*stays at 25 %.* Nor could it be switched off: no endpoint answers"):
        await run.run(plan)


async def test_a_refused_failback_changes_nothing(tmp_path: Path) -> None:
    pair = Pair()
    plan = plan_failback(A, (A, B), FACTS)
    with pytest.raises(RefusedError):
        await failback(tmp_path, Board(), pair, Time(), lambda: "").run(plan)
    assert pair.history == []


def test_the_audit_log_is_a_chain_that_shows_every_change(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(4):
        AuditLog(path, "tester", lambda: 1.0).add("did", number=number)
    entries = audits.read(path)
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert audits.verify(entries) == ""
    assert "removed" in audits.verify([*entries[:1], *entries[2:]])
    lines = path.read_text().splitlines()
    changed = json.loads(lines[1])
    changed["detail"]["number"] = 99
    path.write_text("\n".join([lines[0], json.dumps(changed), *lines[2:]]))
    assert audits.verify(audits.read(path)) == "entry 2 was changed"
    path.write_text("nonsense\n")
    with pytest.raises(OpsError, match="Line 1"):
        audits.read(path)


def test_half_a_line_of_a_killed_writer_keeps_nobody_from_acting(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, "tester", lambda: 1.0)
    log.add("did")
    whole = path.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole + whole[:cut])
        assert [entry.number for entry in audits.read(path)][:1] == [1]
    path.write_bytes(whole + whole[:40])
    log.add("went on")
    assert [entry.action for entry in audits.read(path)] == ["did", "went on"]
    assert audits.verify(audits.read(path)) == ""
    path.write_bytes(whole.rstrip())
    log.add("went on")
    assert audits.verify(audits.read(path)) == "", "a last line without its end is kept"
    path.write_bytes(whole + b"tampered\n")
    log.add("went on")
    with pytest.raises(OpsError, match="Line 2"):
        audits.read(path)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, "tester", lambda: 1.0)
    log.add("did")
    whole = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OpsError, match="No space left"):
        log.add("did not")
    assert path.read_bytes() == whole


class Route53:
    def __init__(self) -> None:
        self.records = [
            {"Name": "us-east-1.orders.outlast.example.", "Type": "CNAME", "SetIdentifier": which, "Weight": weight,
             "TTL": 5, "HealthCheckId": "h", "ResourceRecords": [{"Value": "d-1"}]}
            for which, weight in (("home", 100), ("away", 0))
        ]  # fmt: skip
        self.pending = 2

    def list_resource_record_sets(self, **_: Any) -> dict[str, Any]:
        other = {"Name": "us-west-2.orders.outlast.example.", "Type": "CNAME", "SetIdentifier": "home", "Weight": 7}
        return {"ResourceRecordSets": [*self.records, other]}

    def change_resource_record_sets(self, HostedZoneId: str, ChangeBatch: dict[str, Any]) -> dict[str, Any]:
        self.records = [change["ResourceRecordSet"] for change in ChangeBatch["Changes"]]
        return {"ChangeInfo": {"Id": "/change/C1", "Status": "PENDING"}}

    def get_change(self, Id: str) -> dict[str, Any]:
        self.pending -= 1
        return {"ChangeInfo": {"Id": Id, "Status": "PENDING" if self.pending else "INSYNC"}}


def test_weights_are_set_on_both_records_and_waited_for() -> None:
    route53 = Route53()
    clients = FakeClients(lambda *_: route53)
    pair = Weights(cast(Clients, clients), sample_deployment(), sleep=lambda _: None)
    assert pair.percent(A) == 100
    pair.set(A, 25)
    assert {record["SetIdentifier"]: record["Weight"] for record in route53.records} == {"home": 25, "away": 75}
    assert all(record["HealthCheckId"] == "h" for record in route53.records)
    assert pair.percent(A) == 25
    assert route53.pending == 0
    route53.records = route53.records[:1]
    with pytest.raises(OpsError, match="not a pair"):
        pair.set(A, 50)


async def test_a_rule_s_wait_period_is_waited_for_and_told_once(tmp_path: Path) -> None:
    time, board = Time(), Board(RefusedError("its wait period of 5000 ms is not over."))
    told: list[str] = []

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if time.now >= 1004:
            board.error = None

    run = evacuator(tmp_path, board, time)
    run.sleep, run.tell, run.patience_s, run.period = sleep, told.append, 6.0, "its wait period is 5 s"
    assert (await run.run(both_on())).ending == "left"
    assert [each for each in told if "asked again" in each] == [
        "its wait period of 5000 ms is not over. It is asked again each second, for 6 s at most "
        "(its wait period is 5 s)."
    ]
    assert board.on == {A: False, B: True}
    assert [each.action for each in audits.read(tmp_path / "audit.jsonl")] == ["evacuate", "switched", "left"]


@pytest.mark.parametrize(("patience_s", "told"), [(0.0, "never."), (2.5, "never, and did for 2 s.")])
async def test_a_rule_that_goes_on_refusing_is_told(tmp_path: Path, patience_s: float, told: str) -> None:
    time = Time()
    run = evacuator(tmp_path, Board(RefusedError("never.")), time)
    run.patience_s = patience_s
    with pytest.raises(RefusedError) as refused:
        await run.run(both_on())
    assert str(refused.value) == told
    assert time.now == 1000 + patience_s
    assert [each.action for each in audits.read(tmp_path / "audit.jsonl")] == ["evacuate", "not switched"]


def test_what_is_left_of_a_wait_period_is_reckoned_from_our_last_switch(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert "outlast prepare" in period_of(None, path, 1000.0)
    assert period_of(5000, path, 1000.0) == "its wait period is 5 s"
    AuditLog(path, "tester", lambda: 1000.0).add("switched")
    assert period_of(5000, path, 1002.0) == "its wait period is 5 s, 3.0 s of it are left since our last switch"
    assert period_of(5000, path, 1005.0) == "its wait period is 5 s"
    path.write_bytes(b"rubbish\n")
    assert period_of(5000, path, 1005.0) == "its wait period is 5 s"
    assert (patience_for(None), patience_for(5000), patience_for(3_600_000)) == (30.0, 6.0, 60.0)


@pytest.mark.parametrize(
    ("at_s", "stage", "told"), [(0.0, "look", "again looks whether"), (10.0, "watch", "not watched any more")]
)
async def test_an_interrupted_evacuation_says_how_far_it_came(
    tmp_path: Path, at_s: float, stage: str, told: str
) -> None:
    time, board, heard = Time(), Board(), list[str]()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if time.now > 1000 + at_s:
            raise asyncio.CancelledError

    run = evacuator(tmp_path, board, time)
    run.sleep, run.tell = sleep, heard.append
    with pytest.raises(asyncio.CancelledError):
        await run.run(plan_evacuation(A, "test", (A, B), WELL), watch_s=60)
    last = audits.read(tmp_path / "audit.jsonl")[-1]
    assert (last.action, last.detail["stage"]) == ("interrupted", stage)
    assert told in heard[-1]
    again = evacuator(tmp_path, board, time)
    assert (await again.run(plan_evacuation(A, "test", (A, B), WELL))).ending == "left"


async def test_what_was_begun_when_the_signal_came_is_done_and_written_down(tmp_path: Path) -> None:
    """The controls are being set in a thread: it is not left open whether they were."""
    entered, release = threading.Event(), threading.Event()

    class Slow(Board):
        def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
            entered.set()
            release.wait(10)
            super().set(wanted, override)

    board = Slow()
    run = asyncio.ensure_future(evacuator(tmp_path, board, Time()).run(plan_evacuation(A, "test", (A, B), WELL)))
    await asyncio.to_thread(entered.wait, 10)
    run.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert board.on == {A: False, B: True}
    entries = audits.read(tmp_path / "audit.jsonl")
    assert [each.action for each in entries] == ["evacuate", "switched", "interrupted"]
    assert entries[-1].detail["stage"] == "look"


@pytest.mark.parametrize(("theirs", "ends"), [({A: True, B: False}, "overruled"), ({A: False, B: True}, "left")])
async def test_two_operators_at_once_do_not_undo_each_other(tmp_path: Path, theirs: dict[str, bool], ends: str) -> None:
    """The other one was first, and the wait period holds us back: the same wish is fulfilled, another is not forced."""
    time, board = Time(), Board()

    class First(Board):
        def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
            before = dict(self.on)
            self.on = dict(theirs)
            if before != dict(wanted):
                raise RefusedError("its wait period of 5000 ms is not over.")

    board = First()
    plan = both_on()
    run = evacuator(tmp_path, board, time)
    if ends == "left":
        assert (await run.run(plan)).ending == "left"
        return
    with pytest.raises(OverruledError, match="us-west-2 is off now") as overruled:
        await run.run(plan)
    assert overruled.value.exit == 4
    assert board.on == theirs
    assert [each.action for each in audits.read(tmp_path / "audit.jsonl")] == ["evacuate", "not switched"]
