"""Findings for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from outlast.ops.doctor.findings import ORDER, Finding


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A few lines for each finding, and how many there are."""
    for finding in findings:
        where = f"{finding.region}: " if finding.region else ""
        yield f"{finding.severity:<9}{where}{finding.what}"
        yield f"{'':<9}why: {finding.why}"
        yield f"{'':<9}fix: {finding.fix}"
        yield f"{'':<9}{finding.resource}"
    yield summary(findings)


def summary(findings: Sequence[Finding]) -> str:
    """One line."""
    counted = Counter(finding.severity for finding in findings)
    told = [f"{counted[severity]} {severity}" for severity in ORDER if counted[severity]]
    return f"{', '.join(told)}." if told else "Nothing found: ready."
