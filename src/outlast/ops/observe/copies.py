"""Whether a Region's copy of the data is whole: a replica that is still being filled serves what it has by now.

A local world also says why, where it knows: a Region whose data was put back from an older copy heals by itself, and
until then customers may read what was so then. On AWS a replica's status tells, and nobody can put a copy back.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ReplicaDescription.html (ReplicaStatus)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from outlast.ops.clients import Clients
from outlast.ops.deployment import Deployment
from outlast.ops.ledger.model import Link, read_link

ACTIVE: Final = "ACTIVE"
OLDER_COPY: Final = "OLDER_COPY"


def read(clients: Clients, deployment: Deployment, region: str) -> list[Link]:
    """What `region` says of the replicas of its tables elsewhere. Raises botocore's errors."""
    tables = (deployment.tables.customers, deployment.tables.products, deployment.tables.orders)
    if clients.kind == "local":
        found = clients.of("outlast", region).list_replication_links().get("Links", [])
        links = [read_link(each, region) for each in found]
    else:
        links = list(_replicas(clients.of("dynamodb", region), tables, region))
    return [each for each in links if each.table in tables and each.receiver in deployment.region_names]


def _replicas(client: Any, tables: Sequence[str], region: str) -> Iterator[Link]:
    for name in tables:
        for each in client.describe_table(TableName=name)["Table"].get("Replicas") or []:
            if each["RegionName"] != region:
                yield Link(name, region, str(each["RegionName"]), str(each.get("ReplicaStatus", ACTIVE)), 0, None)


def healing(region: str, links: Sequence[Link]) -> str:
    """What is not whole of the Region's copy, by what all Regions say; empty when nothing is known to be missing."""
    waiting = {(link.table, link.status) for link in links if link.receiver == region and link.status != ACTIVE}
    own = [link for link in links if link.origin == region and link.reason == OLDER_COPY]
    older = {link.table for link in own if link.status != ACTIVE}
    if not waiting and not own:
        return ""
    told = ["its data was put back from an older copy and heals" if own else "its data is not whole"]
    if waiting:
        told.append("still to come: " + ", ".join(f"{table} ({status})" for table, status in sorted(waiting)))
    if older:
        told.append("what it alone has is still sent to the others: " + ", ".join(sorted(older)))
    return "; ".join(told)
