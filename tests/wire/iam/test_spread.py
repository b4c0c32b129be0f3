"""IAM in two Regions, in virtual time: written in one, judged in both, also when the first is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.contract.catching_up import ASK_S, WAIT_S
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.services.iam import iam
from outlast.cloud.services.sts import sts
from outlast.cloud.simulation import SimulatedEngines, simulate
from outlast.cloud.wire import Request
from tests.unit.identity.signing import Req, signed
from tests.wire.iam.inside import ACCOUNT, ROOT, gate_of
from tests.wire.iam.test_iam import allow, document, trust

EAST, WEST = "us-east-1", "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


class TwoRegions:
    """A home and another Region, with calls as root and signed requests."""

    def __init__(self, world: SimulatedEngines) -> None:
        self.world = world
        self.gates: dict[str, Gate] = {}

    async def start(self) -> None:
        for link in self.world.net.links.values():
            link.min_delay_s = link.max_delay_s = 0.05
        for name in (EAST, WEST):
            await self.start_one(name)

    async def start_one(self, name: str) -> None:
        engine = await self.world.start(name)
        self.gates[name] = gate_of(engine.effects, engine, (EAST, WEST), (iam, sts), {})

    async def iam(self, operation: str, **params: Any) -> dict[str, Any]:
        """As root, in the home Region."""
        region = self.gates[EAST].region
        root = region.identities.owner(ROOT[0], None, 0).principal
        return await region.aws("iam", operation, params, principal=root)

    async def ask(self, region: str, key: dict[str, str], service: str, action: str, **params: str) -> tuple[int, str]:
        """A signed query request to a Region: status and body."""
        fields = "&".join(f"{name}={value}" for name, value in {"Action": action, **params}.items())
        plain = Req("POST", headers={"content-type": "application/x-www-form-urlencoded"}, body=fields.encode())
        now_s = self.gates[region].region.clock.now_s()
        sent = signed(
            plain,
            service=service,
            region=region if service != "iam" else EAST,
            key_id=key["AccessKeyId"],
            secret=key["SecretAccessKey"],
            token=key.get("SessionToken"),
            now_s=now_s,
        )
        request = Request(sent.method, sent.path, sent.query, dict(sent.headers), sent.body)
        response = await pipeline.respond(self.gates[region], request, "127.0.0.1")
        return response.status, response.body.decode()


def play(tmp_path: Path, scene: Callable[[TwoRegions], Awaitable[None]]) -> None:
    async def whole() -> None:
        regions = TwoRegions(SimulatedEngines(tmp_path, (EAST, WEST), seed=7))
        await regions.start()
        await scene(regions)
        await regions.world.close()

    simulate(whole())


async def new_user(regions: TwoRegions, *statements: dict[str, Any]) -> dict[str, str]:
    await regions.iam("CreateUser", UserName="ann")
    await regions.iam("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=document(*statements))
    key: dict[str, str] = (await regions.iam("CreateAccessKey", UserName="ann"))["AccessKey"]
    return key


def test_a_key_made_at_home_is_known_elsewhere_a_moment_later(tmp_path: Path) -> None:
    async def scene(regions: TwoRegions) -> None:
        key = await new_user(regions, allow("iam:ListUsers"))
        status, body = await regions.ask(WEST, key, "sts", "GetCallerIdentity", Version="2011-06-15")
        assert (status, "InvalidClientTokenId" in body) == (403, True)
        await asyncio.sleep(2)
        status, body = await regions.ask(WEST, key, "sts", "GetCallerIdentity", Version="2011-06-15")
        assert (status, "user/ann" in body) == (200, True)
        await regions.iam("UpdateAccessKey", UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        await asyncio.sleep(2)
        assert (await regions.ask(WEST, key, "sts", "GetCallerIdentity", Version="2011-06-15"))[0] == 403

    play(tmp_path, scene)


def test_roles_are_assumed_while_the_control_plane_is_lost(tmp_path: Path) -> None:
    async def scene(regions: TwoRegions) -> None:
        key = await new_user(regions, allow("sts:AssumeRole"))
        await regions.iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        await asyncio.sleep(2)
        regions.world.net.cut(EAST, WEST)
        wanted = {"RoleArn": ROLE, "RoleSessionName": "me", "Version": "2011-06-15"}
        status, body = await regions.ask(WEST, key, "sts", "AssumeRole", **wanted)
        assert (status, "<SessionToken>" in body) == (200, True)
        principal = regions.gates[WEST].region.identities.owner(key["AccessKeyId"], None, 0).principal
        judged = regions.gates[WEST].region.identities.judge(principal, "dynamodb:GetItem", "*", {})
        assert "no identity-based policy allows" in judged.message
        status, body = await regions.ask(WEST, key, "iam", "ListUsers", Version="2010-05-08")
        assert (status, "ServiceUnavailable" in body) == (503, True)

    play(tmp_path, scene)


def test_a_session_of_one_region_is_good_in_another(tmp_path: Path) -> None:
    async def scene(regions: TwoRegions) -> None:
        await regions.iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"Service": "x.amazonaws.com"}))
        await asyncio.sleep(2)
        east = regions.gates[EAST].region
        params = {"RoleArn": ROLE, "RoleSessionName": "me"}
        answer = await east.aws("sts", "AssumeRole", params, principal=east.service_principal("x"))
        regions.world.crash(EAST)
        status, body = await regions.ask(WEST, answer["Credentials"], "sts", "GetCallerIdentity", Version="2011-06-15")
        assert (status, "assumed-role/r/me" in body) == (200, True)

    play(tmp_path, scene)


def test_a_change_elsewhere_goes_to_the_home_region(tmp_path: Path) -> None:
    async def scene(regions: TwoRegions) -> None:
        west = regions.gates[WEST].region
        root = west.identities.owner(ROOT[0], None, 0).principal
        await west.aws("iam", "CreateUser", {"UserName": "bob"}, principal=root)
        assert regions.gates[EAST].hosted["iam"].state.user("bob") is not None
        regions.world.net.cut(EAST, WEST)
        with pytest.raises(Fault) as caught:
            await west.aws("iam", "CreateUser", {"UserName": "eve"}, principal=root)
        assert caught.value.status == 503

    play(tmp_path, scene)


GONE = ("AccessDenied", "InvalidClientTokenId")


@pytest.mark.parametrize("waits", [True, False], ids=["it waits", "it does not"])
def test_a_region_that_was_away_judges_by_what_was_changed_meanwhile(tmp_path: Path, waits: bool) -> None:
    """It would go by the old copy if it did not wait: the second case shows that the first is a test."""

    async def scene(regions: TwoRegions) -> None:
        key = await new_user(regions, allow("sts:AssumeRole"))
        await regions.iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        await asyncio.sleep(2)
        regions.world.crash(WEST)
        await regions.iam("DeleteUserPolicy", UserName="ann", PolicyName="p")
        await regions.start_one(WEST)
        if waits:
            await regions.gates[WEST].hosted["iam"].state.catching_up.run()
        wanted = {"RoleArn": ROLE, "RoleSessionName": "me", "Version": "2011-06-15"}
        status, body = await regions.ask(WEST, key, "sts", "AssumeRole", **wanted)
        assert (status, any(code in body for code in GONE)) == ((403, True) if waits else (200, False))

    play(tmp_path, scene)


@pytest.mark.parametrize(("known", "took_s"), [(True, WAIT_S), (False, 0.0)])
def test_a_region_waits_for_a_lost_home_no_longer_than_it_may(tmp_path: Path, known: bool, took_s: float) -> None:
    async def scene(regions: TwoRegions) -> None:
        key = await new_user(regions, allow("sts:AssumeRole")) if known else {}
        await asyncio.sleep(2)
        regions.world.crash(WEST)
        regions.world.crash(EAST)
        await regions.start_one(WEST)
        west = regions.gates[WEST]
        began_s = west.region.clock.monotonic_s()
        await west.hosted["iam"].state.catching_up.run()
        assert took_s <= west.region.clock.monotonic_s() - began_s <= took_s + ASK_S
        if known:
            assert (await regions.ask(WEST, key, "sts", "GetCallerIdentity", Version="2011-06-15"))[0] == 200

    play(tmp_path, scene)


def test_the_home_region_waits_for_nobody(tmp_path: Path) -> None:
    async def scene(regions: TwoRegions) -> None:
        await new_user(regions, allow("sts:AssumeRole"))
        regions.world.crash(WEST)
        east = regions.gates[EAST]
        began_s = east.region.clock.monotonic_s()
        await east.hosted["iam"].state.catching_up.run()
        assert east.region.clock.monotonic_s() == began_s

    play(tmp_path, scene)
