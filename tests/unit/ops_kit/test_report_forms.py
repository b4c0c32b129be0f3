"""Other forms of a report: JUnit, two side by side, the bill, and the audit log that it can be held against."""

from __future__ import annotations

import copy
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from outlast.cli import ops_audit, ops_report
from outlast.ops.act.audit import AuditLog
from outlast.ops.drill import evidence
from outlast.ops.drill.file import find, library
from outlast.ops.drill.story import Story
from outlast.ops.outcome import Exit, UsageError
from outlast.ops.report import terminal
from outlast.ops.report.build import build
from outlast.ops.report.compare import compare
from outlast.ops.report.cost import Use, monthly, prices
from outlast.ops.report.junit import junit, write_junit
from outlast.ops.report.page import render
from outlast.ops.report.write import read as read_report
from outlast.ops.report.write import write
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.samples import BEGIN_S, story


def built(told: Story | None = None) -> Any:
    return json.loads(json.dumps(build(told or story())))


@pytest.fixture(scope="module")
def report() -> Any:
    return built()


def cases(report: Any, suite: str) -> dict[str, str]:
    """How each case of a suite ended."""
    root = ElementTree.fromstring(junit(report))
    (found,) = [each for each in root if str(each.get("name")).endswith(f": {suite}")]
    endings = {}
    for case in found.iter("testcase"):
        endings[str(case.get("name"))] = next((child.tag for child in case), "passed")
    assert int(found.get("tests", "")) == len(endings)
    assert int(found.get("failures", "")) == list(endings.values()).count("failure")
    assert int(found.get("skipped", "")) == list(endings.values()).count("skipped")
    return endings


def test_a_missed_objective_is_a_failure_and_a_step_that_was_not_there_is_skipped(report: Any) -> None:
    assert cases(report, "objectives") == {
        "rto <= 60 s": "passed", "lost_writes == 0": "passed", "double_sales == 0": "failure",
    }  # fmt: skip
    steps = list(cases(report, "steps").values())
    assert steps == ["passed", "skipped", *["failure"] * 10]


def test_trouble_is_an_error_and_a_story_that_broke_a_failure() -> None:
    bare = Story("A drill", "h", "us-east-1", {}, {}, sample_deployment(), [], lambda: BEGIN_S)
    bare.trouble = "The world is \x00 not there."
    assert cases(built(bare), "objectives") == {"the drill comes to its end": "error"}
    bare.trouble, bare.failed = "", "Stopped: it hurt."
    assert cases(built(bare), "objectives") == {"the drill comes to its end": "failure"}


def test_junit_is_written_whole(report: Any, tmp_path: Path) -> None:
    write_junit(report, tmp_path / "deep" / "junit.xml")
    root = ElementTree.parse(tmp_path / "deep" / "junit.xml").getroot()
    assert root is not None
    assert [suite.get("tests") for suite in root] == ["3", "12"]
    assert [suite.get("failures") for suite in root] == ["1", "10"]


def test_junit_keeps_the_schemas_that_tools_hold_it_to(report: Any) -> None:
    """What Ant's schema and that of Jenkins' xUnit plugin allow and want, both."""
    report["title"] = "A  drill\nof \x07 two lines"
    root = ElementTree.fromstring(junit(report))
    assert (root.tag, root.attrib) == ("testsuites", {})
    for number, suite in enumerate(root):
        assert set(suite.attrib) == {
            "id", "package", "name", "hostname", "time", "timestamp", "tests", "failures", "errors", "skipped",
        }  # fmt: skip
        assert suite.get("id") == str(number)
        assert float(str(suite.get("time"))) >= 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(suite.get("timestamp")))
        tags = [child.tag for child in suite]
        assert tags == ["properties", *["testcase"] * int(str(suite.get("tests"))), "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1
            for outcome in case:
                wanted = {"message"} if outcome.tag == "skipped" else {"message", "type"}
                assert (outcome.tag in ("failure", "error", "skipped"), set(outcome.attrib)) == (True, wanted)


def test_steps_that_a_drill_is_not_meant_to_take_are_no_failures() -> None:
    """A cut link that moves nobody is a good drill: no pipeline may show it red."""
    bare = Story("A drill", "h", "us-east-1", {}, {}, sample_deployment(), [], lambda: BEGIN_S)
    bare.without = find("link-cut").without
    bare.step(7, False, "nobody was hit")
    bare.step(8, True, "none")
    bare.step(10, True, "all the same")
    states = {step["number"]: step["state"] for step in built(bare)["steps"]}
    assert {number: states[number] for number in (6, 7, 8, 9, 10, 11, 12)} == {
        6: "false", 7: "apart", 8: "true", 9: "apart", 10: "true", 11: "apart", 12: "false",
    }  # fmt: skip
    endings = list(cases(built(bare), "steps").values())
    assert [endings[number - 1] for number in (6, 7, 8, 9, 11)] == [
        "failure",
        "skipped",
        "passed",
        "skipped",
        "skipped",
    ]


def test_each_ending_says_which_steps_are_not_part_of_it() -> None:
    without = {name: sorted(drill.without) for name, drill in library().items() if drill.without}
    assert without == {
        "both-regions": [7, 9, 10, 11],
        "capacity-shortfall": [10, 11],
        "dns-empty": [7, 9, 10, 11],
        "link-cut": [7, 9, 10, 11],
        "region-destroyed": [11, 12],
        "replication-paused": [7, 8],
    }


def test_two_runs_of_one_drill_are_the_same(report: Any) -> None:
    found = compare(report, copy.deepcopy(report))
    assert {each.trend for each in found.figures} <= {"the same"}
    assert found.warnings == ()
    assert found.exit is Exit.GOOD


def test_what_is_worse_is_told_and_an_objective_that_is_missed_now_fails(report: Any) -> None:
    after = copy.deepcopy(report)
    after["rto"]["seconds"] = report["rto"]["seconds"] * 2
    after["double_sales"] = []
    after["rto_stubborn"]["seconds"] = 5.0
    after["objectives"][0]["met"] = False
    after["configuration"]["record_ttl_s"] = 60
    found = compare(report, after)
    trends = {each.name: each.trend for each in found.figures}
    assert trends["recovery time"] == "worse"
    assert trends["products sold twice"] == "better"
    assert trends["recovery time of stubborn clients"] == "not comparable"
    assert found.warnings == ("the record's TTL differs: 5 and 60",)
    assert found.exit is Exit.MISSED
    assert compare(after, report).exit is Exit.GOOD


def test_what_does_not_show_is_the_same(report: Any) -> None:
    """A switch of 20 ms and one of 40 are both 0.0 s: neither is better."""
    before, after = copy.deepcopy(report), copy.deepcopy(report)
    for seconds, one in ((0.02, before), (0.04, after)):
        one["rto"]["phases"] = [{"name": "switched", "seconds": seconds}]
    trends = {each.name: each.trend for each in compare(before, after).figures}
    assert trends["until switched"] == "the same"
    after["rto"]["phases"][0]["seconds"] = 0.3
    assert {each.name: each.trend for each in compare(before, after).figures}["until switched"] == "worse"


def test_the_bill_grows_with_the_load_and_the_cluster_is_told_apart() -> None:
    small, large = monthly(Use(1.0, 20.0)), monthly(Use(100.0, 20.0))
    assert small["with_cluster_usd"] - small["without_cluster_usd"] == pytest.approx(1825.0 - 0.4)
    assert small["stop_alarms_usd"] == 0.4
    assert large["with_cluster_usd"] > small["with_cluster_usd"]
    for bill in (small, large):
        assert sum(line["usd"] for line in bill["lines"]) == pytest.approx(bill["with_cluster_usd"], abs=0.1)
        assert bill["as_of"] == str(prices()["as_of"])
        assert all(source.startswith("https://aws.amazon.com/") for source in bill["sources"])
    million = next(line for line in monthly(Use(1e6 / (730 * 3600), 0.0))["lines"] if "API" in line["what"])
    assert million["usd"] == 3.5


def test_the_page_shows_the_bill_as_computed_and_older_reports_have_none(report: Any) -> None:
    page = render(report)
    assert "<h2>Cost</h2>" in page
    assert f"{report['cost']['with_cluster_usd']:.2f} USD" in page
    assert '<span class="badge">computed</span>' in page
    older = {name: value for name, value in report.items() if name != "cost"}
    assert "<h2>Cost</h2>" not in render(older)


def command(*modules: Any) -> typer.Typer:
    app = typer.Typer()
    for module in modules:
        module.register(app)
    return app


def test_reports_are_compared_by_the_command(report: Any, tmp_path: Path) -> None:
    after = copy.deepcopy(report)
    after["objectives"][0]["met"] = False
    write(report, tmp_path / "a")
    write(after, tmp_path / "b")
    app = command(ops_report, ops_audit)
    words = ["report", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3
    assert "recovery time" in done.stdout
    done = CliRunner().invoke(app, [*words, "--output", "json"])
    assert json.loads(done.stdout)["objectives"][0][1:] == [True, False]
    assert CliRunner().invoke(app, words[:3]).exit_code == 2
    table = CliRunner().invoke(app, ["report", str(tmp_path / "a"), "--output", "table"])
    assert "missed" in table.stdout


def test_the_chain_is_verified_and_a_cut_end_is_found(report: Any, tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", "tester")
    heads = [log.add(action).hash for action in ("evacuate", "switched", "left")]
    app = command(ops_report, ops_audit)

    def verify(*words: str) -> Any:
        return CliRunner().invoke(app, ["audit", "verify", str(tmp_path), *words, "--output", "json"])

    assert (verify().exit_code, json.loads(verify().stdout)["head"]) == (0, heads[-1])
    noted = copy.deepcopy(report)
    noted["audit"]["head"] = heads[-1]
    write(noted, tmp_path)
    assert verify().exit_code == 0
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join(lines[:-1]) + "\n")
    assert (verify().exit_code, "cut off" in verify().stdout) == (3, True)
    assert verify("--head", heads[1]).exit_code == 0
    log.path.write_text("\n".join([lines[0].replace("evacuate", "nothing"), *lines[1:]]) + "\n")
    assert "entry 1 was changed" in verify().stdout
    shown = CliRunner().invoke(app, ["audit", "show", str(tmp_path)])
    assert "switched" in shown.stdout
    assert CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "none.jsonl")]).exit_code == 2
    assert replace(log.add("again")).number == 4
    log.path.write_bytes(b"\xff\n")
    assert (verify().exit_code, "Line 1" in json.loads(verify().stdout)["problem"]) == (3, True)


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&[red][/no]\x1b[31m\x07'


def poisoned(read: Any) -> Any:
    """The document with every text that is free to be anything made hostile."""
    if isinstance(read, dict):
        return {name: value if name in FIXED else poisoned(value) for name, value in read.items()}
    if isinstance(read, list):
        return [poisoned(each) for each in read]
    return f"{read}{HOSTILE}" if isinstance(read, str) else read


FIXED = frozenset({"schema", "measured", "basis", "word", "state"})


class Tags(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))


def test_hostile_texts_run_nowhere(tmp_path: Path) -> None:
    document = poisoned(json.loads(json.dumps(build(story()))))
    tags = Tags()
    tags.feed(render(document))
    assert len(tags.seen) > 100
    assert not [
        tag for tag, attrs in tags.seen if tag in ("script", "img") or any(n.startswith("on") for n, _ in attrs)
    ]
    write_junit(document, tmp_path / "junit.xml")
    ElementTree.parse(tmp_path / "junit.xml")
    shown = io.StringIO()
    terminal.show(document, Console(file=shown, width=200))
    assert "alert(1)" in shown.getvalue()
    assert not {"\x1b", "\x07"} & set(shown.getvalue())


@pytest.mark.parametrize(
    "change", [{"objectives": 5}, {"rto": None}, {"steps": [{}]}, {"title": 7}, {"audit": []}, {"marks": "x"}], ids=str
)
def test_a_damaged_report_is_named_in_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "report.json").write_text(json.dumps({**json.loads(json.dumps(build(story()))), **change}))
    with pytest.raises(UsageError, match="damaged"):
        read_report(tmp_path)


def test_what_is_no_report_is_named_in_one_line(tmp_path: Path) -> None:
    for text in ("", "[]", "{", "[" * 100_000):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(UsageError):
            read_report(tmp_path)
    assert read_report(write(json.loads(json.dumps(build(story()))), tmp_path)[0])["steps"]


def test_every_price_says_what_it_was_compared_with() -> None:
    table = prices()
    assert set(table["checked"]) == set(table["prices"])
    assert all(table["checked"].values())


def test_a_price_that_was_compared_with_nothing_is_marked(monkeypatch: pytest.MonkeyPatch, report: Any) -> None:
    table = dict(prices())
    table["checked"] = {**table["checked"], "zone": None}
    monkeypatch.setattr("outlast.ops.report.cost.prices", lambda: table)
    bill = monthly(Use(1.0, 20.0))
    (zone,) = (line for line in bill["lines"] if line["what"] == "Route 53, hosted zone")
    assert zone["checked"].startswith("unverified")
    assert "unverified" in render({**report, "cost": bill})


def broken_off() -> Story:
    """A drill whose world died after the cut: nobody asked again, and nobody compared anything."""
    told = story()
    told.convergence, told.double_sales, told.trouble = None, [], "The world is gone."
    told.risks = [replace(risk, fate="not known", arrived_s=None) for risk in told.risks]
    theirs = [record for record in told.records if not record.stubborn]
    last = max((each for each in theirs if each.where == told.region and each.bad(1500.0)), key=lambda one: one.ended_s)
    told.marks["left_s"] = last.ended_s
    told.records = [record for record in told.records if record.at_s < last.ended_s]
    return told


def test_a_drill_whose_world_died_has_measured_nothing_that_nobody_saw() -> None:
    told = broken_off()
    assert told.on_their_way()
    evidence.landed(told)
    assert (told.steps[-1].state, told.steps[-1].evidence) == ("false", "no customer asked for anything since")
    report = built(told)
    values = {each["name"]: each["value"] for each in report["objectives"]}
    assert [values[name] for name in ("rto", "lost_writes", "double_sales")] == [None, None, None]
    measured = {each.name: each.before for each in compare(report, built()).figures}
    assert (measured["writes lost for good"], measured["products sold twice"]) == (None, None)
    assert "were not seen to be served again" in render(report)
