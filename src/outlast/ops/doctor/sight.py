"""What could not be looked at: a doctor that saw nothing has found nothing, and says so."""

from __future__ import annotations

from collections.abc import Iterator

from outlast.ops.doctor.facts import Facts
from outlast.ops.doctor.findings import Finding


def rules(facts: Facts) -> Iterator[Finding]:
    """A warning for everything that is not known."""
    for unseen in facts.unseen:
        what, why = f"{unseen.what} could not be looked at ({unseen.why})", "whether it is ready is not known"
        fix = "See to the permission or the service, and look again."
        yield Finding("warning", "unseen", unseen.region, unseen.what, what, why, fix)
    for region in facts.regions:
        if region.traffic.requests_per_s is None:
            what = "no traffic was measured of late"
            why = "whether the survivor has room for it is not known"
            fix = "Look again after a busy day."
            yield Finding("note", "traffic", region.name, region.name, what, why, fix)
