"""SEARCH: which metrics a search expression means.

    '{AWS/Lambda,FunctionName} MetricName="Errors" orders'

The schema in braces names the namespace and exactly the dimensions; then come terms that must all match: `Name="value"`
compares a property or dimension exactly, a bare or quoted term is looked for in every part of the metric.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.cloudwatch.math import MathFault
from outlast.cloud.services.cloudwatch.model import MetricKey

MAX_FOUND: Final = 100
_TERM: Final = re.compile(
    r"\s*(?:(?P<name>[:A-Za-z0-9_.\-]+)\s*=\s*(?:\"(?P<exact>[^\"]*)\"|(?P<loose>[^\s\"()]+))"
    r"|\"(?P<quoted>[^\"]*)\"|(?P<sign>[()])|(?P<bare>[^\s\"()=]+))"
)


@dataclass(frozen=True, slots=True)
class Search:
    """A search expression that has been read."""

    namespace: str | None
    dimensions: frozenset[str] | None
    exact: tuple[tuple[str, str], ...]
    terms: tuple[str, ...]

    def matches(self, metric: MetricKey) -> bool:
        """Whether the metric is meant."""
        own = dict(metric.dimensions)
        if self.namespace is not None and metric.namespace != self.namespace:
            return False
        if self.dimensions is not None and own.keys() != self.dimensions:
            return False
        properties = {**own, "MetricName": metric.name, "Namespace": metric.namespace}
        if any(properties.get(name) != value for name, value in self.exact):
            return False
        words = "\n".join((metric.namespace, metric.name, *own, *own.values())).lower()
        return all(term.lower() in words for term in self.terms)


def read_search(text: str) -> Search:
    """Read a search expression; raises MathFault, also for AND, OR, NOT and parentheses, which are not supported."""
    namespace: str | None = None
    dimensions: frozenset[str] | None = None
    rest = text.strip()
    if rest.startswith("{"):
        schema, closing, rest = rest[1:].partition("}")
        if not closing:
            raise MathFault("The schema of SEARCH lacks a closing brace")
        first, *others = (part.strip().strip('"') for part in schema.split(","))
        if not first:
            raise MathFault("The schema of SEARCH needs a namespace")
        namespace, dimensions = first, frozenset(others)
    exact: list[tuple[str, str]] = []
    terms: list[str] = []
    place = 0
    rest = rest.strip()
    while place < len(rest):
        found = _TERM.match(rest, place)
        if found is None:
            raise MathFault(f"SEARCH cannot be read at: {rest[place : place + 20]}")
        place = found.end()
        if found["sign"] or found["bare"] in ("OR", "NOT"):
            raise MathFault(f"{found['sign'] or found['bare']} in SEARCH is not supported by this cloud")
        if found["name"]:
            if found["name"].startswith(":"):
                raise MathFault(f"{found['name']} in SEARCH is not supported by this cloud")
            exact.append((found["name"], found["exact"] if found["exact"] is not None else found["loose"]))
        elif found["bare"] != "AND":
            terms.append(found["quoted"] if found["quoted"] is not None else found["bare"])
    return Search(namespace, dimensions, tuple(exact), tuple(terms))


def search(text: str, metrics: Iterable[MetricKey]) -> list[MetricKey]:
    """The metrics that the expression means, in order of name and dimensions, at most MAX_FOUND."""
    wanted = read_search(text)
    found = [metric for metric in metrics if wanted.matches(metric)]
    return sorted(found, key=lambda metric: (metric.name, metric.dimensions))[:MAX_FOUND]
