"""What a rule finds: how bad it is, what, why it matters, how to put it right, and on which resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from outlast.ops.outcome import Exit

Severity = Literal["serious", "warning", "note"]
ORDER: Final[Mapping[Severity, int]] = {"serious": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `region` is empty for what belongs to none; `resource` is an ARN, or the nearest name there is."""

    severity: Severity
    rule: str
    region: str
    resource: str
    what: str
    why: str
    fix: str

    def document(self) -> dict[str, Any]:
        """As JSON members."""
        return asdict(self)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first; the same finding once."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda each: (ORDER[each.severity], each.rule, each.region, each.what)))


def exit_of(findings: Iterable[Finding]) -> Exit:
    """3 when something serious was found, else 0."""
    return Exit.MISSED if any(each.severity == "serious" for each in findings) else Exit.GOOD


def unequal(values: Mapping[str, Any], seen: Callable[[Any], str] = str) -> str:
    """How the Regions differ, in words, when they do: `us-east-1: 512; us-west-2: 256`. Empty when they agree."""
    told = {region: seen(value) for region, value in values.items()}
    if len(set(told.values())) < 2:
        return ""
    return "; ".join(f"{region}: {text}" for region, text in sorted(told.items()))
