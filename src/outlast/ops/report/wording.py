"""What a report says, in sentences; the page and the terminal share them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SOLD_LINES: Final = 10
WORDS: Final = {
    "met": "Objectives met",
    "missed": "Objective missed",
    "undecided": "Undecided",
    "refused": "Refused",
    "error": "Error",
}


def tiles(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures at the top."""
    everyone = report["customers"].get("everyone", {"bad": 0, "requests": 0})
    writes = report["rpo"]["writes"]
    lost = fates_of(report).count("lost")
    cut, compared = report["rpo"]["cut_s"] is not None, report["convergence"] is not None
    detected = next((phase["seconds"] for phase in report["rto"]["phases"] if phase["name"] == "detected"), None)
    return [
        {"name": "Recovery time", "value": figure(report["rto"]["seconds"], "s"), "text": "well-behaved customers"},
        {"name": "Detected after", "value": figure(detected, "s"), "text": "by quorum of vantage points"},
        {
            "name": "Writes missing at the cut",
            "value": _counted(len(writes), cut),
            "text": f"of {report['rpo']['acknowledged']}",
        },
        {"name": "Writes lost for good", "value": _counted(lost, cut), "text": "after everything converged"},
        {
            "name": "Products sold twice",
            "value": _counted(len(report["double_sales"]), compared),
            "text": "by two Regions at once",
        },
        {
            "name": "Requests failed or late",
            "value": str(everyone["bad"]),
            "text": f"of {everyone['requests']} ({share(everyone['bad'], everyone['requests'])}){_again(everyone)}",
        },
    ]


def _again(everyone: Mapping[str, Any]) -> str:
    """What the clients sent more than once; reports of before did not count it."""
    return f"; {everyone['sent_again']} sent again" if everyone.get("sent_again") else ""


def fates_of(report: Mapping[str, Any]) -> list[str]:
    """What became of each order at risk, and of each item left behind that belongs to no customer's order."""
    rpo = report["rpo"]
    return [write["fate"] for write in rpo["writes"]] + [
        item["fate"] for item in rpo.get("items", ()) if not item["order_id"]
    ]


def rto_text(report: Mapping[str, Any]) -> str:
    """The recovery time in words."""
    rto = report["rto"]
    if not _hit(report):
        return "The drill broke off before the Region was hit: there is no recovery time."
    if not rto["felt"] and rto["seconds"] is None:
        return "No well-behaved customer was served after the impact, so nothing tells of a recovery."
    if not rto["felt"]:
        return "No well-behaved customer lost a request to the Region."
    if rto["seconds"] is None:
        return f"Well-behaved customers lost {rto['lost']} requests and were not seen to be served again."
    return f"Well-behaved customers lost {rto['lost']} requests, the last one {rto['seconds']:.1f} s after the impact."


def sum_text(report: Mapping[str, Any]) -> str:
    """The arithmetic of the switch beside what was measured: when the last answer that leads to the Region must end.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
    """
    marks, ttl_s = report["marks"], report["configuration"]["record_ttl_s"]
    if not _hit(report):
        return ""
    impact_s, switched_s, left_s = (marks.get(name) for name in ("impact_s", "switched_s", "left_s"))
    if impact_s is None or switched_s is None or left_s is None:
        return "The switch was not seen in DNS, so its times cannot be added up."
    parts = (switched_s - impact_s, left_s - switched_s, ttl_s)
    measured = report["rto"]["seconds"]
    return (
        f"By arithmetic: {parts[0]:.1f} s from the impact to the switch + {parts[1]:.1f} s until DNS followed it + "
        f"{parts[2]:.1f} s that an answer lives = {sum(parts):.1f} s"
        + ("." if measured is None else f"; measured: {measured:.1f} s.")
    )


def stubborn_text(report: Mapping[str, Any]) -> str:
    """What became of clients that outlive their DNS answers; nothing to tell where the Region was not hit."""
    rto = report["rto_stubborn"]
    if not _hit(report):
        return ""
    if not rto["felt"] and rto["seconds"] is None:
        return "No stubborn client, who outlives its DNS answers, was served after the impact."
    if not rto["felt"]:
        return "Stubborn clients, who outlive their DNS answers, lost nothing."
    if rto["seconds"] is None:
        return f"Stubborn clients, who outlive their DNS answers, lost {rto['lost']} requests, to the end."
    return (
        f"Stubborn clients, who outlive their DNS answers, lost {rto['lost']} requests, "
        f"the last one {rto['seconds']:.1f} s after the impact."
    )


def rpo_text(report: Mapping[str, Any]) -> str:
    """The writes at risk in words."""
    rpo = report["rpo"]
    if rpo["cut_s"] is None:
        return "There was no cut: nothing was switched."
    fates = [write["fate"] for write in rpo["writes"]]
    told = ", ".join(f"{fates.count(fate)} {fate}" for fate in dict.fromkeys(fates))
    survivors = ", ".join(report["configuration"]["survivors"])
    return (
        f"Of {rpo['acknowledged']} orders that {report['configuration']['region']} had acknowledged in the "
        f"{rpo['window_s']:.0f} s before the cut, {len(fates)} were not whole in {survivors} at that moment"
        + (f": {told}." if told else ".")
    )


def items_text(report: Mapping[str, Any]) -> str:
    """How the writes at risk were found, and every item among them in sum."""
    rpo = report["rpo"]
    if rpo.get("judged_by") is None:
        return ""
    if rpo["judged_by"] == "reading":
        return f"Judged by reading these orders in the survivor: {rpo['judged_why']}."
    fates = [item["fate"] for item in rpo["items"]]
    told = ", ".join(f"{fates.count(fate)} {fate}" for fate in dict.fromkeys(fates))
    without = sum(not item["order_id"] for item in rpo["items"])
    return (
        f"By the Regions' own lists, {len(fates)} items were left behind"
        + (f": {told}" if told else "")
        + (f"; {without} of them belong to no order that a customer was told of." if without else ".")
    )


def sales_text(report: Mapping[str, Any]) -> str:
    """Products sold twice, in words."""
    count = len(report["double_sales"])
    if not count and report["convergence"] is None:
        return "Whether a product was sold twice was not looked at."
    if not count:
        return "No product was sold twice."
    what = "One product was" if count == 1 else f"{count} products were"
    return f"{what} sold to two customers: each Region sold it before the other's sale had arrived."


def sold_lines(report: Mapping[str, Any]) -> list[str]:
    """Each product that was sold twice, and to whom: at most SOLD_LINES, and how many more the page has."""
    sales = report["double_sales"]
    lines = [
        f"  {sale['product_id']}: " + ", ".join(f"{order['order_id']} in {order['region']}" for order in sale["orders"])
        for sale in sales[:SOLD_LINES]
    ]
    return [*lines, f"  and {len(sales) - SOLD_LINES} more: see the page"] if len(sales) > SOLD_LINES else lines


def conflicts_text(report: Mapping[str, Any]) -> str:
    """The conflict ledger in words."""
    if not report["conflicts"]["known"]:
        return "This target keeps no ledger of conflicts; overwritten writes are found by comparing items."
    entries = report["conflicts"]["entries"]
    return (
        f"{len(entries)} writes were overwritten by a concurrent write in another Region; the ledger has both versions."
    )


def convergence_text(report: Mapping[str, Any]) -> str:
    """Whether the replicas hold the same in the end."""
    found = report["convergence"]
    if found is None:
        return "The replicas were not compared."
    if found["unequal"]:
        different = ", ".join(found["unequal"])
        return f"The replicas differ in {len(found['unequal'])} of {found['orders']} orders: {different}."
    return f"The replicas hold the same {found['orders']} orders of this drill."


def place_text(place: Mapping[str, Any]) -> str:
    """Where it was measured, in words."""
    return ", ".join(str(value) for value in place.values())


def _hit(report: Mapping[str, Any]) -> bool:
    """Whether the drill came as far as its fault."""
    return report["marks"].get("impact_s") is not None


def _counted(count: int, looked: bool) -> str:
    """A count; a dash where nobody looked."""
    return str(count) if looked else "–"


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit; a dash when it was not measured."""
    if value is None:
        return "–"
    text = f"{value:.0f}" if float(value).is_integer() and unit != "s" else f"{value:.1f}"
    return f"{text} {unit}".rstrip()


def share(part: float, whole: float) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def printable(read: Any) -> Any:
    """The document with a mark in the place of every control character: those are orders to a terminal."""
    if isinstance(read, Mapping):
        return {name: printable(value) for name, value in read.items()}
    if isinstance(read, list):
        return [printable(each) for each in read]
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", read) if isinstance(read, str) else read
