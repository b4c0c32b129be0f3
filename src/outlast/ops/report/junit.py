"""A report as JUnit XML, so that a pipeline shows a drill like any other test run.

It keeps both schemas that tools hold such files to: the one of Jenkins' xUnit plugin (junit-10.xsd), and the stricter
one of Ant's task (https://github.com/windyroad/JUnit-Schema), which has no attributes on `testsuites`, wants a time
everywhere, and takes output of whole suites alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from outlast.ops.outcome import OpsError
from outlast.ops.report.wording import figure

UNPRINTABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]")
"""What XML 1.0 cannot hold."""


def junit(report: Mapping[str, Any]) -> str:
    """The document: a suite of the objectives, a suite of the steps.

    A missed objective is a failure; one that was not measured, and a step that was not there, is skipped; trouble with
    the drill itself is an error.
    """
    root = ElementTree.Element("testsuites")
    _suite(root, "objectives", report, [_objective(each) for each in report["objectives"]], ended=report["verdict"])
    _suite(root, "steps", report, [_step(each) for each in report["steps"]])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def write_junit(report: Mapping[str, Any], path: Path) -> None:
    """Write it; raises OpsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + junit(report), encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error}.") from error


Case = tuple[ElementTree.Element, str]
"""A case, and what was measured, in words."""


def _suite(
    root: ElementTree.Element,
    name: str,
    report: Mapping[str, Any],
    cases: list[Case],
    ended: Mapping[str, Any] | None = None,
) -> None:
    if ended is not None and (ended["word"] == "error" or (ended["text"] and not _told(ended, report))):
        case = ElementTree.Element("testcase", name="the drill comes to its end")
        word = "error" if ended["word"] == "error" else "failure"
        _outcome(case, word, ended["text"])
        cases = [(case, _text(ended["text"])), *cases]
    marks = report["marks"]
    lasted_s = max(0.0, (marks.get("end_s") or 0.0) - (marks.get("begin_s") or 0.0))
    suite = ElementTree.SubElement(
        root, "testsuite", id=str(len(root)), package="outlast", name=_text(f"{report['title']}: {name}"),
        hostname="localhost", time=f"{lasted_s:.1f}", timestamp=_text(report["made_at"]).removesuffix("Z"),
        tests=str(len(cases)),
    )  # fmt: skip
    for word, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(word, str(sum(case.find(tag) is not None for case, _ in cases)))
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("measured", report["measured"]), ("region", report["configuration"]["region"])):
        ElementTree.SubElement(properties, "property", name=key, value=_text(value))
    for case, _ in cases:
        case.set("classname", f"outlast.{name}")
        case.set("time", "0")
        suite.append(case)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(f"{case.get('name')}: {said}" for case, said in cases)
    ElementTree.SubElement(suite, "system-err")


def _outcome(case: ElementTree.Element, word: str, message: str) -> None:
    """Mark a case as `failure`, `error` or `skipped`."""
    made = ElementTree.SubElement(case, word, message=_text(message))
    if word != "skipped":
        made.set("type", f"outlast.{word}")


def _told(ended: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    """Whether the objectives tell the same as the verdict does: then it needs no case of its own."""
    worst = 3 if any(each["met"] is False for each in report["objectives"]) else 0
    worst = worst or (5 if any(each["met"] is None for each in report["objectives"]) else 0)
    generated = ended["text"].startswith(("Missed: ", "Not measured: ", "All "))
    return bool(generated) and worst == ended["exit_code"]


def _objective(each: Mapping[str, Any]) -> Case:
    case = ElementTree.Element("testcase", name=_text(each["text"]))
    measured = f"measured: {_text(figure(each['value'], each['unit']))}"
    if each["met"] is False:
        _outcome(case, "failure", measured)
    elif each["met"] is None:
        _outcome(case, "skipped", "not measured")
    return case, measured


def _step(each: Mapping[str, Any]) -> Case:
    case = ElementTree.Element("testcase", name=_text(f"{each['number']:02d} {each['title']}"))
    if each["state"] != "true":
        _outcome(case, "failure" if each["state"] == "false" else "skipped", each["evidence"])
    return case, _text(each["evidence"])


def _text(value: Any) -> str:
    return UNPRINTABLE.sub("?", str(value))
