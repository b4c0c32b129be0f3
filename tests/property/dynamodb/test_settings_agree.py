"""Any schedule of changes to one global table in several Regions ends with the same settings and members everywhere.

A setting that one Region alone changed is as it said last; of one that several changed, one of the accepted values
stands. A replica whose removal was accepted goes, unless it was added again or is protected.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from outlast.cloud.contract import Fault
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.dynamodb import membership
from outlast.cloud.simulation import simulate
from tests.unit.dynamodb.harness import Home
from tests.unit.dynamodb.virtual import VirtualCloud

REGIONS = ("us-east-1", "us-west-2", "us-east-2")
CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")
NAME = "things"
SETTLE_S = 400

region = st.integers(0, len(REGIONS) - 1)
number = st.integers(1, 5)
action = st.one_of(
    st.tuples(st.just("class"), region, st.integers(0, 1)),
    st.tuples(st.just("provision"), region, number),
    st.tuples(st.just("on demand"), region, number),
    st.tuples(st.just("expire"), region, number),
    st.tuples(st.just("keep"), region, number),
    st.tuples(st.just("index"), region, number),
    st.tuples(st.just("drop"), region, number),
    st.tuples(st.just("index units"), region, number),
    st.tuples(st.just("protect"), region, st.integers(0, 1)),
    st.tuples(st.just("own class"), region, region),
    st.tuples(st.just("own reads"), region, region),
    st.tuples(st.just("add"), region, region),
    st.tuples(st.just("add"), region, region),
    st.tuples(st.just("remove"), region, region),
    st.tuples(st.just("remove"), region, region),
    st.tuples(st.just("cut"), region, region),
    st.tuples(st.just("cut one way"), region, region),
    st.tuples(st.just("heal"), region, region),
    st.tuples(st.just("lossy"), region, region),
    st.tuples(st.just("crash"), region, st.just(0)),
    st.tuples(st.just("start"), region, st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 5000), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 300), st.just(0)),
)


@dataclass
class Said:
    """What was accepted, by thing: (the Region, the value), in order."""

    of: dict[str, list[tuple[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def index_of(name: int, provisioned: bool) -> dict[str, Any]:
    index: dict[str, Any] = {
        "IndexName": f"by-{name}",
        "KeySchema": [{"AttributeName": f"a{name}", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    if provisioned:
        index["ProvisionedThroughput"] = {"ReadCapacityUnits": name, "WriteCapacityUnits": name}
    return index


def update_of(db: Home, what: str, second: int) -> tuple[dict[str, Any], str | None, Any]:
    """The members of UpdateTable, the thing that they change, and its value."""
    other = REGIONS[second % len(REGIONS)]
    if what == "class":
        return {"TableClass": CLASSES[second]}, "class", CLASSES[second]
    if what == "provision":
        units = {"ReadCapacityUnits": second, "WriteCapacityUnits": second}
        return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}, "units", second
    if what == "on demand":
        return {"BillingMode": "PAY_PER_REQUEST"}, "units", None
    if what == "index":
        table = db.state.tables.get(NAME)
        made = index_of(second, table is not None and table.doc["BillingMode"] == "PROVISIONED")
        definitions = [{"AttributeName": each, "AttributeType": "S"} for each in ("p", f"a{second}")]
        updates = [{"Create": made}]
        return (
            {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": updates},
            f"index {second}",
            True,
        )
    if what == "drop":
        return {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": f"by-{second}"}}]}, f"index {second}", False
    if what == "index units":
        units = {"ReadCapacityUnits": second + 7, "WriteCapacityUnits": second}
        changed = {"IndexName": f"by-{second}", "ProvisionedThroughput": units}
        return {"GlobalSecondaryIndexUpdates": [{"Update": changed}]}, None, None
    if what == "protect":
        return {"DeletionProtectionEnabled": bool(second)}, None, None
    if what == "own class":
        own = {"RegionName": other, "TableClassOverride": CLASSES[1]}
        return {"ReplicaUpdates": [{"Update": own}]}, "own class", True
    if what == "own reads":
        own = {"RegionName": other, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 90 + second}}
        return {"ReplicaUpdates": [{"Update": own}]}, None, None
    kind = "Create" if what == "add" else "Delete"
    return {"ReplicaUpdates": [{kind: {"RegionName": other}}]}, f"member {other}", what == "add"


async def change(db: Home, said: Said, here: str, what: str, second: int) -> None:
    try:
        if what in ("expire", "keep"):
            found = (await db("DescribeTimeToLive", TableName=NAME))["TimeToLiveDescription"]
            attribute = f"t{second}" if what == "expire" else found.get("AttributeName", "t")
            wanted = {"Enabled": what == "expire", "AttributeName": attribute}
            await db("UpdateTimeToLive", TableName=NAME, TimeToLiveSpecification=wanted)
            said.of["expiry"].append((here, attribute if what == "expire" else None))
            return
        await ready(db)
        given, thing, value = update_of(db, what, second)
        await db("UpdateTable", TableName=NAME, **given)
        if thing is not None:
            said.of[thing].append((here, value))
        if thing == "units" and value is None:
            said.of["index units"].append((here, None))
    except (Fault, StorageUnavailable):
        return


async def ready(db: Home) -> None:
    """Wait a moment until the table can be changed."""
    for _ in range(30):
        table = db.state.tables.get(NAME)
        if table is not None and table.status == "ACTIVE":
            return
        await asyncio.sleep(0.1)


async def act(cloud: VirtualCloud, said: Said, what: tuple[str, int, int]) -> None:
    name, first, second = what
    if name == "wait":
        await asyncio.sleep(first / 1000)
        return
    here = REGIONS[first]
    home = cloud.homes.get(here)
    if name == "crash":
        if home is not None:
            await cloud.crash(here)
    elif name == "start":
        if home is None:
            await cloud.start(here)
    elif name in ("cut", "cut one way", "heal", "lossy"):
        other = REGIONS[second]
        if other != here and name == "heal":
            cloud.net.heal(here, other)
        elif other != here and name == "lossy":
            cloud.net.links[here, other].loss = 0.4
        elif other != here:
            cloud.net.cut(here, other, both=name == "cut")
    elif home is not None:
        await change(home, said, here, name, second)


def seen(home: Home) -> Any:
    """What a Region holds of the table, as all Regions should; None without it."""
    table = home.state.tables.get(NAME)
    if table is None:
        return None
    doc = table.doc
    shared = membership.settings(doc)
    return {
        "status": doc["Status"],
        "settings": shared
        | {"Indexes": sorted(shared["Indexes"], key=lambda each: str(each["IndexName"]))}
        | {"AttributeDefinitions": sorted(shared["AttributeDefinitions"], key=lambda each: str(each["AttributeName"]))},
        "indexes": sorted((each["IndexName"], each["Status"]) for each in doc["Indexes"]),
        "members": {name: doc["Replicas"][name] for name in sorted(doc.get("Replicas") or {})},
    }


def problem(cloud: VirtualCloud) -> str | None:
    """Why the Regions do not agree (yet)."""
    held = {name: seen(home) for name, home in cloud.homes.items()}
    holding = {name: each for name, each in held.items() if each is not None}
    for name, each in holding.items():
        if each["status"] != "ACTIVE" or any(status != "ACTIVE" for _, status in each["indexes"]):
            return f"{name} is not ACTIVE: {each}"
        if any(member["Status"] != "ACTIVE" for member in each["members"].values()):
            return f"{name} has members that are not ACTIVE: {each['members']}"
        if set(each["members"]) != (set(holding) if each["members"] else {name}) and each["members"]:
            return f"{name} has other members than hold the table: {sorted(each['members'])}, {sorted(holding)}"
        if cloud.homes[name].state.tables[NAME].doc.get("Due"):
            return f"{name} has more to do"
    first = next(iter(holding.values()), None)
    for name, each in holding.items():
        if each["members"] and each != first:
            return f"{name} and {next(iter(holding))} differ: {each} {first}"
    return None


async def settle(cloud: VirtualCloud) -> None:
    cloud.net.heal_all()
    for name in REGIONS:
        if name not in cloud.homes:
            await cloud.start(name)
    for _ in range(SETTLE_S):
        await asyncio.sleep(1)
        if problem(cloud) is None:
            await asyncio.sleep(25)
            if problem(cloud) is None:
                return
    raise AssertionError(problem(cloud))


async def play(folder: Path, seed: int, members: int, schedule: list[tuple[str, int, int]]) -> None:
    cloud = VirtualCloud(folder, REGIONS, seed)
    for name in REGIONS:
        await cloud.start(name)
    first = cloud.homes[REGIONS[0]]
    await first.table(NAME)
    for other in REGIONS[1:members]:
        await first("UpdateTable", TableName=NAME, ReplicaUpdates=[{"Create": {"RegionName": other}}])
        await first.active(NAME)
    said = Said()
    for what in schedule:
        await act(cloud, said, what)
    await settle(cloud)
    check(cloud, said)
    assert [each for each in cloud.net.errors if not isinstance(each, StorageUnavailable)] == []
    await cloud.close()


def check(cloud: VirtualCloud, said: Said) -> None:
    held = {name: each for name, home in cloud.homes.items() if (each := seen(home)) is not None}
    for other in REGIONS:
        wishes = said.of[f"member {other}"]
        is_alone = held.get(other) is not None and not held[other]["members"]
        if wishes and wishes[-1][1] is False and other in held and not is_alone:
            protected = cloud.homes[other].state.tables[NAME].doc.get("DeletionProtectionEnabled")
            assert protected, f"the removal of {other} was accepted, and it is there: {wishes}"
        if wishes and all(wish for _, wish in wishes):
            assert other in held, f"{other} was added, and it is not there"
    if any(not wish for thing, wishes in said.of.items() if thing.startswith("member") for _, wish in wishes):
        return  # what a Region changed just before it was removed may be gone with it
    if not held:
        raise AssertionError("nobody has the table")
    shown = next(iter(held.values()))["settings"]
    expiry = shown["TimeToLive"] or {}
    values = {
        "units": (shown.get("ProvisionedThroughput") or {}).get("WriteCapacityUnits"),
        "expiry": expiry.get("AttributeName"),
    }
    if not said.of["own class"]:  # a class that a replica shows as its own is not said for all
        values["class"] = shown.get("TableClass")
    names = [each["IndexName"] for each in shown["Indexes"]]
    values |= {f"index {each}": f"by-{each}" in names for each in range(1, 6)}
    for thing, value in values.items():
        wishes = said.of[thing]
        if not wishes:
            continue
        assert value in [wish for _, wish in wishes], f"{thing} is {value}, which nobody said: {wishes}"
        if len({who for who, _ in wishes}) == 1:
            assert value == wishes[-1][1], f"{thing} is {value}, which is not what was said last: {wishes}"


quick = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


MAKER_GONE = [
    *[("class", 0, 0)] * 4,
    ("start", 0, 0),
    ("class", 0, 0),
    ("add", 0, 2),
    ("cut", 0, 2),
    *[("class", 0, 0)] * 2,
    ("crash", 0, 0),
    ("remove", 2, 1),
]
"""The Region that made a replica is removed before the replica is ACTIVE."""


@quick
@example(seed=0, members=2, schedule=MAKER_GONE)
@given(seed=st.integers(0, 2**32), members=st.integers(2, 3), schedule=st.lists(action, min_size=12, max_size=30))
def test_any_schedule_ends_with_the_same_settings_everywhere(
    seed: int, members: int, schedule: list[tuple[str, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulate(play(Path(folder), seed, members, schedule))
