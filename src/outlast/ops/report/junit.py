"""A report as JUnit XML, so that a pipeline shows a drill like any other test run.

The form that common tools read: https://github.com/testmoapp/junitxml (testsuites, testsuite, testcase).
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
    root = ElementTree.Element("testsuites", name=_text(report["title"]))
    _suite(root, "objectives", report, [_objective(each) for each in report["objectives"]], ended=report["verdict"])
    _suite(root, "steps", report, [_step(each) for each in report["steps"]])
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def write_junit(report: Mapping[str, Any], path: Path) -> None:
    """Write it; raises OpsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + junit(report), encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{path} cannot be written: {error}.") from error


def _suite(
    root: ElementTree.Element,
    name: str,
    report: Mapping[str, Any],
    cases: list[ElementTree.Element],
    ended: Mapping[str, Any] | None = None,
) -> None:
    if ended is not None and (ended["word"] == "error" or (ended["text"] and not _told(ended, report))):
        case = ElementTree.Element("testcase", name="the drill comes to its end")
        kind = "error" if ended["word"] == "error" else "failure"
        ElementTree.SubElement(case, kind, message=_text(ended["text"]))
        cases = [case, *cases]
    suite = ElementTree.SubElement(root, "testsuite", name=name, timestamp=_text(report["made_at"]).removesuffix("Z"))
    for word, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(word, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("measured", report["measured"]), ("region", report["configuration"]["region"])):
        ElementTree.SubElement(properties, "property", name=key, value=_text(value))
    for case in cases:
        case.set("classname", f"outlast.{name}")
        suite.append(case)


def _told(ended: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    """Whether the objectives tell the same as the verdict does: then it needs no case of its own."""
    worst = 3 if any(each["met"] is False for each in report["objectives"]) else 0
    worst = worst or (5 if any(each["met"] is None for each in report["objectives"]) else 0)
    generated = ended["text"].startswith(("Missed: ", "Not measured: ", "All "))
    return bool(generated) and worst == ended["exit_code"]


def _objective(each: Mapping[str, Any]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_text(each["text"]))
    measured = _text(figure(each["value"], each["unit"]))
    if each["met"] is False:
        ElementTree.SubElement(case, "failure", message=f"measured: {measured}")
    elif each["met"] is None:
        ElementTree.SubElement(case, "skipped", message="not measured")
    else:
        ElementTree.SubElement(case, "system-out").text = f"measured: {measured}"
    return case


def _step(each: Mapping[str, Any]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_text(f"{each['number']:02d} {each['title']}"))
    if each["state"] == "false":
        ElementTree.SubElement(case, "failure", message=_text(each["evidence"]))
    elif each["state"] == "absent":
        ElementTree.SubElement(case, "skipped", message=_text(each["evidence"]))
    else:
        ElementTree.SubElement(case, "system-out").text = _text(each["evidence"])
    return case


def _text(value: Any) -> str:
    return UNPRINTABLE.sub("?", str(value))
