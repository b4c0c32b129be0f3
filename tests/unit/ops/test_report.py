"""The report: one document that keeps its schema, one page that stands alone, one summary."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from outlast.ops.drill.story import Story
from outlast.ops.outcome import UsageError
from outlast.ops.report import terminal
from outlast.ops.report.build import build
from outlast.ops.report.page import render
from outlast.ops.report.wording import sum_text, tiles
from outlast.ops.report.write import read, write
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops.samples import BEGIN_S, story

SCHEMA = json.loads(resources.files("outlast.ops.report").joinpath("schema.json").read_text())


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    built: dict[str, Any] = json.loads(json.dumps(build(story())))
    return built


def empty() -> Story:
    bare = Story("A drill", "h", "us-east-1", {}, {}, sample_deployment(), [], lambda: BEGIN_S)
    bare.trouble = "The world is not there."
    return bare


def printed(report: dict[str, Any]) -> str:
    """The report as a terminal shows it."""
    console = Console(width=140, file=io.StringIO(), record=True)
    terminal.show(report, console)
    return console.export_text()


def test_the_document_keeps_its_schema(report: dict[str, Any]) -> None:
    jsonschema.validate(report, SCHEMA)
    jsonschema.validate(json.loads(json.dumps(build(empty()))), SCHEMA)


def test_the_figures_are_those_of_the_drill(report: dict[str, Any]) -> None:
    assert report["verdict"]["exit_code"] == 3
    assert report["verdict"]["text"] == "Missed: double_sales == 0."
    assert [each["met"] for each in report["objectives"]] == [True, True, False]
    phases = {phase["name"]: phase["seconds"] for phase in report["rto"]["phases"]}
    assert phases["detected"] == 11.0
    assert report["rto"]["seconds"] == pytest.approx(sum(phases.values()), abs=0.01)
    assert report["rto_stubborn"]["seconds"] is None
    assert report["measured"] == "local"
    assert [step["share"] for step in report["failback"]["steps"]] == pytest.approx([0.05, 0.25, 0.5, 1.0], abs=0.2)
    states = [step["state"] for step in report["steps"]]
    assert states == ["true", "absent", *["false"] * 10]
    assert report["audit"]["intact"]


def test_the_arithmetic_of_the_switch_is_shown_beside_what_was_measured() -> None:
    report: dict[str, Any] = json.loads(json.dumps(build(story())))
    marks, ttl_s = report["marks"], report["configuration"]["record_ttl_s"]
    total_s = marks["left_s"] - marks["impact_s"] + ttl_s
    told = sum_text(report)
    assert f"{ttl_s:.1f} s that an answer lives = {total_s:.1f} s; measured: {report['rto']['seconds']:.1f} s." in told
    assert told in html.unescape(render(report))
    del marks["left_s"]
    assert "not seen in DNS" in sum_text(report)


def test_trouble_is_an_error_whatever_the_objectives_say() -> None:
    told = story()
    told.trouble = "us-east-1 could not be reached"
    assert build(told)["verdict"] == {"exit_code": 1, "word": "error", "text": "us-east-1 could not be reached"}


def test_a_drill_that_broke_off_before_its_fault_has_measured_no_recovery() -> None:
    told = story()
    whole = build(told)
    told.trouble = "Not everything is well before the drill."
    told.marks.clear()
    told.double_sales.clear()
    told.convergence = None
    told.risks.clear()
    report = json.loads(json.dumps(build(told)))
    judged = {each["name"]: each["met"] for each in report["objectives"]}
    assert [each["met"] for each in whole["objectives"] if each["name"] == "rto"] == [True]
    assert judged == {"rto": None, "lost_writes": None, "double_sales": None}
    shown = {tile["name"]: tile["value"] for tile in tiles(report)}
    assert {shown[name] for name in ("Recovery time", "Writes missing at the cut", "Products sold twice")} == {"–"}
    for text in (render(report), printed(report)):
        assert "before the Region was hit" in text
        assert "lost a request" not in text
        assert "lost nothing" not in text


def test_the_terminal_names_each_product_that_was_sold_twice() -> None:
    told = story()
    sale = told.double_sales[0]
    assert "p-7: o-us-east-1 in us-east-1, o-us-west-2 in us-west-2" in printed(json.loads(json.dumps(build(told))))
    told.double_sales = [{**sale, "product_id": f"p-{number}"} for number in range(12)]
    assert "and 2 more: see the page" in printed(json.loads(json.dumps(build(told))))


def test_a_story_that_broke_off_has_missed_whatever_was_measured() -> None:
    told = story()
    told.double_sales.clear()
    assert build(told)["verdict"]["exit_code"] == 0
    told.failed = "The failure was not detected."
    assert build(told)["verdict"] == {"exit_code": 3, "word": "missed", "text": "The failure was not detected."}


def test_a_broken_audit_chain_is_told() -> None:
    told = story()
    told.audit[1] = replace(told.audit[1], action="nothing")
    assert not build(told)["audit"]["intact"]
    assert "CHAIN BROKEN" in render(json.loads(json.dumps(build(told))))


class Page(HTMLParser):
    """Gathers what a page would load, its scripts and unclosed elements."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_well_formed(report: dict[str, Any]) -> None:
    html = render(report)
    page = Page()
    page.feed(html)
    assert page.open == []
    assert page.loads == []
    assert "script" not in page.tags
    assert "@import" not in html
    assert "url(" not in html
    assert page.tags.count("svg") == 6
    assert "prefers-color-scheme: dark" in html


def test_every_figure_on_the_page_says_where_it_was_measured(report: dict[str, Any]) -> None:
    html = render(report)
    assert html.count('<span class="badge">local</span>') >= 6 + 3 + 6
    for tile in re.findall(r'<div class="tile">.*?</div>', html, re.DOTALL):
        assert '<span class="badge">local</span>' in tile
    for figure in re.findall(r"<figure>.*?</figure>", html, re.DOTALL):
        assert '<span class="badge">local</span>' in figure


def test_what_others_wrote_is_escaped(report: dict[str, Any]) -> None:
    html = render(report)
    assert "gray failure begins &lt;in us-east-1&gt;" in html
    assert "<in us-east-1>" not in html


def test_a_page_can_be_made_of_a_drill_that_failed_early() -> None:
    html = render(json.loads(json.dumps(build(empty()))))
    assert "The world is not there." in html
    assert "Nothing was decided." in html


def test_the_terminal_tells_verdict_figures_and_where(report: dict[str, Any]) -> None:
    text = printed(report)
    assert "Objective missed" in text
    assert "every figure measured: local" in text
    assert "Products sold twice" in text
    assert "not there yet" in text


def test_a_report_is_found_again(tmp_path: Path, report: dict[str, Any]) -> None:
    document, page = write(report, tmp_path / "run")
    assert read(document) == read(tmp_path / "run") == report
    assert page.read_text().startswith("<!doctype html>")
    with pytest.raises(UsageError):
        read(tmp_path / "none.json")
    document.write_text('{"schema": "other"}')
    with pytest.raises(UsageError, match="not a report"):
        read(document)
