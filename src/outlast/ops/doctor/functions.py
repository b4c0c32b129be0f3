"""Functions: the version that each Region's API invokes must be the same, and its runtime alive.

https://docs.aws.amazon.com/r53recovery/latest/dg/recovery-readiness.rules-resources.html (Lambda functions) and
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtime-support-policy
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from outlast.ops.doctor.facts import Document, Facts
from outlast.ops.doctor.findings import Finding, Severity, unequal

SOON_S: Final = 180 * 86_400.0
"""A runtime that is deprecated within half a year is told of."""

DEPRECATED: Final[Mapping[str, str]] = {
    "dotnet6": "2024-12-20",
    "dotnet8": "2026-11-10",
    "dotnetcore3.1": "2023-04-03",
    "go1.x": "2024-01-08",
    "java8": "2024-01-08",
    "java8.al2": "2027-06-30",
    "java11": "2027-06-30",
    "java17": "2027-06-30",
    "java21": "2029-06-30",
    "java25": "2029-06-30",
    "nodejs12.x": "2023-03-31",
    "nodejs14.x": "2023-12-04",
    "nodejs16.x": "2024-06-12",
    "nodejs18.x": "2025-09-01",
    "nodejs20.x": "2026-04-30",
    "nodejs22.x": "2027-04-30",
    "nodejs24.x": "2028-04-30",
    "provided": "2024-01-08",
    "provided.al2": "2026-07-31",
    "provided.al2023": "2029-06-30",
    "python3.7": "2023-12-04",
    "python3.8": "2024-10-14",
    "python3.9": "2025-12-15",
    "python3.10": "2026-10-31",
    "python3.11": "2027-06-30",
    "python3.12": "2028-10-31",
    "python3.13": "2029-06-30",
    "python3.14": "2029-06-30",
    "ruby2.7": "2023-12-07",
    "ruby3.2": "2026-03-31",
    "ruby3.3": "2027-03-31",
    "ruby3.4": "2028-03-31",
}
"""When each runtime is deprecated, as of the middle of 2026."""


def _variables(function: Document) -> dict[str, Any]:
    """The environment, with this Region's own name taken out: a Region may name itself."""
    region = str(function.get("FunctionArn", ":::")).split(":")[3]
    held = (function.get("Environment") or {}).get("Variables") or {}
    return {name: str(value).replace(region, "{region}") if region else value for name, value in held.items()}


def _layers(function: Document) -> list[str]:
    return [":".join(str(layer["Arn"]).split(":")[-2:]) for layer in function.get("Layers") or []]


PARITY: Final[tuple[tuple[str, Severity, Callable[[Document], Any], str], ...]] = (
    ("code", "serious", lambda each: each.get("CodeSha256"), "one Region runs other code: a bad or a missing release"),
    ("handler", "serious", lambda each: each.get("Handler"), "one Region starts another program"),
    ("runtime", "serious", lambda each: each.get("Runtime"), "the same code behaves otherwise"),
    ("architecture", "warning", lambda each: each.get("Architectures"), "native code may not start"),
    ("layers", "warning", _layers, "the same code meets other libraries"),
    ("memory", "serious", lambda each: each.get("MemorySize"), "the survivor is slower, or runs out of memory"),
    ("timeout", "serious", lambda each: each.get("Timeout"), "one Region gives up earlier"),
    ("environment", "serious", _variables, "one Region is configured otherwise"),
    ("package", "warning", lambda each: each.get("PackageType", "Zip"), "the Regions are released in two ways"),
)


def rules(facts: Facts) -> Iterator[Finding]:
    """All findings on functions."""
    functions = {region.name: region.function for region in facts.regions if region.function is not None}
    yield from _parity(functions)
    yield from _concurrency(facts)
    for region, function in functions.items():
        yield from _alive(region, function)
        yield from _runtime(region, function, facts.at_s)


def _parity(functions: Mapping[str, Document]) -> Iterator[Finding]:
    for what, severity, read, why in PARITY:
        values = {region: read(function) for region, function in functions.items()}
        difference = unequal(values, lambda value: json.dumps(value, sort_keys=True))
        if difference:
            arn = str(next(iter(functions.values())).get("FunctionArn", ""))
            fix = "Deploy the same release to every Region: `outlast deploy`."
            yield Finding(
                severity, f"function {what}", "", arn, f"{what} of the function differs: {difference}", why, fix
            )


def _concurrency(facts: Facts) -> Iterator[Finding]:
    seen = {region.name: region for region in facts.regions if region.function is not None}
    difference = unequal({name: region.reserved for name, region in seen.items()}, lambda value: str(value or "none"))
    if difference:
        arn = str((next(iter(seen.values())).function or {}).get("FunctionArn", ""))
        what = f"reserved concurrency differs: {difference}"
        why = "the survivor throttles what the lost Region let in"
        yield Finding("serious", "function concurrency", "", arn, what, why, "Reserve the same in every Region.")


def _alive(region: str, function: Document) -> Iterator[Finding]:
    arn = str(function.get("FunctionArn", ""))
    state, update = function.get("State", "Active"), function.get("LastUpdateStatus", "Successful")
    if state != "Active":
        what, why = f"the function is {state}", "it cannot be invoked, or its first invocations fail"
        yield Finding("serious", "function state", region, arn, what, why, "See StateReason of GetFunction.")
    if update == "Failed":
        what, why = "the function's last update failed", "it runs an older release than was meant"
        yield Finding("serious", "function state", region, arn, what, why, "See LastUpdateStatusReason of GetFunction.")


def _runtime(region: str, function: Document, at_s: float) -> Iterator[Finding]:
    runtime = str(function.get("Runtime", ""))
    end = DEPRECATED.get(runtime)
    if end is None:
        return
    left_s = datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp() - at_s
    if left_s > SOON_S:
        return
    over = left_s <= 0
    what = f"the runtime {runtime} {'is deprecated since' if over else 'will be deprecated on'} {end}"
    why = "it gets no more security patches, and later no update of the function, not even at night"
    fix = "Move to a newer runtime."
    severity: Severity = "serious" if over else "warning"
    yield Finding(severity, "function runtime", region, str(function.get("FunctionArn", "")), what, why, fix)
