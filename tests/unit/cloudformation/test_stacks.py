"""Stacks are created, updated, rolled back and deleted, and survive a crash of their Region."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Fault, ValidationException
from outlast.cloud.services.cloudformation.errors import AlreadyExistsException, InsufficientCapabilitiesException
from outlast.cloud.services.cloudformation.operations.describe import (
    describe_stack_events,
    describe_stacks,
    list_exports,
)
from outlast.cloud.services.cloudformation.operations.resources import list_stack_resources
from outlast.cloud.services.cloudformation.operations.stacks import (
    cancel_update_stack,
    continue_update_rollback,
    create_stack,
    delete_stack,
    rollback_stack,
    update_stack,
    update_termination_protection,
)
from tests.unit.cloudformation.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.open()
    yield stage
    await stage.crash()


def thing(value: Any = 1, **more: Any) -> dict[str, Any]:
    needs = more.pop("needs", None)
    fixed = more.pop("fixed", None)
    properties = {"Value": value, **({} if fixed is None else {"Fixed": fixed})}
    return {"Type": "Test::A::Thing", "Properties": properties, **({"DependsOn": needs} if needs else {}), **more}


def text(outputs: dict[str, Any] | None = None, **resources: Any) -> str:
    return json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})


async def made(stage: Stage, body: str, name: str = "app", **more: Any) -> str:
    await create_stack(stage.call(), stack_name=name, template_body=body, **more)
    return await stage.until(name)


async def changed(stage: Stage, body: str, name: str = "app", **more: Any) -> str:
    await update_stack(stage.call(), stack_name=name, template_body=body, **more)
    return await stage.until(name)


def reasons(stage: Stage, name: str = "app") -> list[str]:
    events = describe_stack_events(stage.call(), stack_name=name)["StackEvents"]
    return [
        f"{e['LogicalResourceId']} {e['ResourceStatus']} {e.get('ResourceStatusReason', '')}".strip() for e in events
    ]


async def test_a_stack_is_made_in_order_with_outputs(stage: Stage) -> None:
    body = text(
        {"Arn": {"Value": {"Fn::GetAtt": "B.Arn"}, "Export": {"Name": "b-arn"}}},
        A=thing("a"),
        B=thing({"Fn::Sub": "${A}/${A.Value}"}),
    )
    assert await made(stage, body) == "CREATE_COMPLETE"
    assert stage.things.log == ["Create A", "Create B"]
    shown = describe_stacks(stage.call(), stack_name="app")["Stacks"][0]
    b = next(
        r
        for r in list_stack_resources(stage.call(), stack_name="app")["StackResourceSummaries"]
        if r["LogicalResourceId"] == "B"
    )
    assert shown["Outputs"] == [
        {"OutputKey": "Arn", "OutputValue": f"arn:{b['PhysicalResourceId']}", "ExportName": "b-arn"}
    ]
    assert list_exports(stage.call())["Exports"][0]["Name"] == "b-arn"
    a_id = next(key for key in stage.things.things if "-A-" in key)
    assert stage.by_logical_id("app")["B"] == {"Value": f"{a_id}/a"}
    assert reasons(stage) == [
        "app CREATE_COMPLETE",
        "B CREATE_COMPLETE",
        "B CREATE_IN_PROGRESS",
        "A CREATE_COMPLETE",
        "A CREATE_IN_PROGRESS",
        "app CREATE_IN_PROGRESS User Initiated",
    ]


async def test_independent_resources_are_made_at_once(stage: Stage) -> None:
    gate = asyncio.Event()
    stage.things.gate = {f"Create T{n}": gate for n in range(10)}
    await create_stack(stage.call(), stack_name="app", template_body=text(**{f"T{n}": thing(n) for n in range(10)}))
    while stage.things.at_once < 10:
        await asyncio.sleep(0.001)
    gate.set()
    assert await stage.until("app") == "CREATE_COMPLETE"


async def test_a_failed_creation_is_taken_back(stage: Stage) -> None:
    stage.things.broken = {"Create B"}
    assert await made(stage, text(A=thing(), B=thing(needs="A"), C=thing(needs="B"))) == "ROLLBACK_COMPLETE"
    assert stage.things.things == {}
    assert "Create C" not in stage.things.log
    assert "B CREATE_FAILED Create of B is broken (Refused)" in reasons(stage)
    assert any(
        ("The following resource(s) failed to create: [B]. Rollback requested by user.") in r for r in reasons(stage)
    )
    with pytest.raises(ValidationException, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        await update_stack(stage.call(), stack_name="app", template_body=text(A=thing()))


async def test_an_unknown_type_fails_the_stack_before_anything_is_made(stage: Stage) -> None:
    body = text(A=thing(), X={"Type": "AWS::Nope::Nope"})
    assert await made(stage, body) == "ROLLBACK_COMPLETE"
    assert stage.things.log == []
    assert "X CREATE_FAILED Resource type AWS::Nope::Nope is not supported" in reasons(stage)


async def test_an_unsupported_property_fails_the_stack_by_name(stage: Stage) -> None:
    body = text(A={"Type": "Test::A::Thing", "Properties": {"Size": 1}})
    assert await made(stage, body) == "ROLLBACK_COMPLETE"
    assert "A CREATE_FAILED Encountered unsupported property Size of resource type Test::A::Thing" in reasons(stage)


@pytest.mark.parametrize(
    ("wish", "status", "left"), [("DO_NOTHING", "CREATE_FAILED", 1), ("DELETE", "DELETE_COMPLETE", 0)]
)
async def test_on_failure(stage: Stage, wish: str, status: str, left: int) -> None:
    stage.things.broken = {"Create B"}
    arn = await create_stack(
        stage.call(), stack_name="app", template_body=text(A=thing(), B=thing(needs="A")), on_failure=wish
    )
    assert await stage.until(arn["StackId"]) == status
    assert len(stage.things.things) == left


async def test_a_kept_failure_can_be_rolled_back_or_updated(stage: Stage) -> None:
    stage.things.broken = {"Create B"}
    body = text(A=thing(), B=thing(needs="A"))
    assert await made(stage, body, disable_rollback=True) == "CREATE_FAILED"
    stage.things.broken = set()
    assert await changed(stage, body) == "UPDATE_COMPLETE"
    assert stage.by_logical_id("app") == {"A": {"Value": 1}, "B": {"Value": 1}}
    stage.things.broken = {"Create B"}
    assert await made(stage, body, "two", disable_rollback=True) == "CREATE_FAILED"
    rollback_stack(stage.call(), stack_name="two")
    assert await stage.until("two") == "ROLLBACK_COMPLETE"


async def test_an_update_changes_in_place_replaces_adds_and_removes(stage: Stage) -> None:
    await made(stage, text(A=thing(1), B=thing(1, fixed=1), C=thing({"Ref": "B"}), D=thing()))
    before = set(stage.things.things)
    stage.things.log.clear()
    body = text(A=thing(2), B=thing(1, fixed=2), C=thing({"Ref": "B"}), E=thing(5, needs=["C"]))
    assert await changed(stage, body) == "UPDATE_COMPLETE"
    assert sorted(stage.things.log) == ["Create B", "Create E", "Delete B", "Delete D", "Update A", "Update C"]
    assert stage.things.log.index("Update C") < stage.things.log.index("Delete B")
    new_b = next(key for key in stage.things.things if "-B-" in key)
    assert new_b not in before
    assert stage.by_logical_id("app") == {
        "A": {"Value": 2},
        "B": {"Value": 1, "Fixed": 2},
        "C": {"Value": new_b},
        "E": {"Value": 5},
    }
    assert len(stage.things.things) == 4
    with pytest.raises(ValidationException, match="No updates are to be performed"):
        await update_stack(stage.call(), stack_name="app", template_body=body)
    with pytest.raises(ValidationException, match="No updates are to be performed"):
        await update_stack(stage.call(), stack_name="app", use_previous_template=True)


async def test_a_failed_update_returns_to_what_was(stage: Stage) -> None:
    first = text({"O": {"Value": {"Ref": "B"}}}, A=thing(1), B=thing(1, fixed=1), C=thing({"Ref": "B"}))
    await made(stage, first)
    before = dict(stage.things.things)
    output = describe_stacks(stage.call(), stack_name="app")["Stacks"][0]["Outputs"]
    stage.things.broken = {"Create Z"}
    body = text(
        {"P": {"Value": "x"}},
        A=thing(2),
        B=thing(1, fixed=2),
        C=thing({"Ref": "B"}),
        N=thing(),
        Z=thing(needs=["A", "C", "N"]),
    )
    assert await changed(stage, body) == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.things.things == before
    shown = describe_stacks(stage.call(), stack_name="app")["Stacks"][0]
    assert shown["Outputs"] == output
    stage.things.broken = set()
    assert await changed(stage, body) == "UPDATE_COMPLETE"


async def test_an_update_that_fails_half_way_in_one_resource_is_put_right(stage: Stage) -> None:
    await made(stage, text(A=thing(1)))
    stage.things.broken = {"Update A"}
    await update_stack(stage.call(), stack_name="app", template_body=text(A=thing(2)))
    assert await stage.until("app") == "UPDATE_ROLLBACK_FAILED"
    stage.things.broken = set()
    continue_update_rollback(stage.call(), stack_name="app")
    assert await stage.until("app") == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.by_logical_id("app") == {"A": {"Value": 1}}


async def test_a_rollback_can_leave_a_resource_out(stage: Stage) -> None:
    await made(stage, text(A=thing(1)))
    stage.things.broken = {"Update A"}
    assert await changed(stage, text(A=thing(2))) == "UPDATE_ROLLBACK_FAILED"
    continue_update_rollback(stage.call(), stack_name="app", resources_to_skip=["A"])
    assert await stage.until("app") == "UPDATE_ROLLBACK_COMPLETE"


async def test_an_update_can_be_cancelled(stage: Stage) -> None:
    await made(stage, text(A=thing(1), B=thing(1, needs="A")))
    stage.things.gate["Update A"] = asyncio.Event()
    await update_stack(stage.call(), stack_name="app", template_body=text(A=thing(2), B=thing(2, needs="A")))
    while "Update A" not in stage.things.log:
        await asyncio.sleep(0.001)
    cancel_update_stack(stage.call(), stack_name="app")
    stage.things.gate.pop("Update A").set()
    assert await stage.until("app") == "UPDATE_ROLLBACK_COMPLETE"
    assert stage.by_logical_id("app") == {"A": {"Value": 1}, "B": {"Value": 1}}


async def test_deletion_goes_backwards_and_keeps_what_is_retained(stage: Stage) -> None:
    await made(stage, text(A=thing(), B=thing(needs="A"), K=thing(needs="B", DeletionPolicy="Retain")))
    arn = stage.state.find("app").id
    delete_stack(stage.call(), stack_name="app")
    assert await stage.until(arn) == "DELETE_COMPLETE"
    assert stage.things.log[-2:] == ["Delete B", "Delete A"]
    assert [key.split("-")[1] for key in stage.things.things] == ["K"]
    with pytest.raises(ValidationException, match="Stack with id app does not exist"):
        describe_stacks(stage.call(), stack_name="app")
    assert describe_stacks(stage.call(), stack_name=arn)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    delete_stack(stage.call(), stack_name="app")


async def test_a_failed_deletion_says_so_and_can_be_repeated(stage: Stage) -> None:
    await made(stage, text(A=thing(), B=thing(needs="A"), C=thing()))
    arn = stage.state.find("app").id
    stage.things.broken = {"Delete B"}
    delete_stack(stage.call(), stack_name="app")
    assert await stage.until("app") == "DELETE_FAILED"
    assert stage.state.find("app").reason == "The following resource(s) failed to delete: [B]. "
    assert sorted(key.split("-")[1] for key in stage.things.things) == ["A", "B"]
    delete_stack(stage.call(), stack_name="app", retain_resources=["B"])
    assert await stage.until(arn) == "DELETE_COMPLETE"


async def test_a_creation_under_way_can_be_deleted(stage: Stage) -> None:
    stage.things.gate["Create A"] = asyncio.Event()
    await create_stack(stage.call(), stack_name="app", template_body=text(A=thing(), B=thing(needs="A")))
    arn = stage.state.find("app").id
    while "Create A" not in stage.things.log:
        await asyncio.sleep(0.001)
    delete_stack(stage.call(), stack_name="app")
    stage.things.gate.pop("Create A").set()
    assert await stage.until(arn, "DELETE_COMPLETE") == "DELETE_COMPLETE"
    assert stage.things.things == {}
    assert "Create B" not in stage.things.log


async def test_termination_protection(stage: Stage) -> None:
    await made(stage, text(A=thing()), enable_termination_protection=True)
    with pytest.raises(
        ValidationException, match=r"Stack \[app\] cannot be deleted while TerminationProtection is enabled"
    ):
        delete_stack(stage.call(), stack_name="app")
    update_termination_protection(stage.call(), stack_name="app", enable_termination_protection=False)
    delete_stack(stage.call(), stack_name="app")


async def test_exports_tie_stacks_together(stage: Stage) -> None:
    await made(stage, text({"O": {"Value": "v", "Export": {"Name": "shared"}}}, A=thing()), "base")
    await made(stage, text(A=thing({"Fn::ImportValue": "shared"})), "user")
    assert stage.by_logical_id("user") == {"A": {"Value": "v"}}
    delete_stack(stage.call(), stack_name="base")
    assert await stage.until("base") == "DELETE_FAILED"
    assert stage.state.find("base").reason == "Cannot delete export shared as it is in use by user."
    assert len(stage.things.things) == 2
    assert (
        await made(stage, text({"O": {"Value": "w", "Export": {"Name": "shared"}}}, A=thing()), "rival")
        == "ROLLBACK_COMPLETE"
    )
    arn = stage.state.find("base").id
    delete_stack(stage.call(), stack_name="user")
    await stage.until(stage.state.find("user").id if stage.state.named("user") else arn)
    while stage.state.named("user") is not None:
        await asyncio.sleep(0.001)
    delete_stack(stage.call(), stack_name="base")
    assert await stage.until(arn) == "DELETE_COMPLETE"


async def test_a_region_killed_during_a_creation_goes_on_after_its_restart(stage: Stage) -> None:
    stage.things.gate["Create B"] = asyncio.Event()
    await create_stack(
        stage.call(), stack_name="app", template_body=text(A=thing("a"), B=thing({"Ref": "A"}), C=thing(needs="B"))
    )
    while "Create B" not in stage.things.log:
        await asyncio.sleep(0.001)
    await stage.crash()
    stage.things.gate.clear()
    await stage.open()
    assert await stage.until("app") == "CREATE_COMPLETE"
    assert stage.things.log == ["Create A", "Create B", "Create B", "Create C"]
    assert len(stage.things.things) == 3
    b = stage.state.resource(stage.state.find("app").key, "B")
    assert b is not None
    assert b.physical_id in stage.things.things


@pytest.mark.parametrize("point", ["Update A", "Create B", "Update C", "Create Z", "Delete B"])
async def test_a_region_killed_during_an_update_ends_in_one_of_the_two_states(stage: Stage, point: str) -> None:
    await made(stage, text(A=thing(1), B=thing(1, fixed=1), C=thing({"Ref": "B"})))
    stage.things.gate[point] = asyncio.Event()
    await update_stack(
        stage.call(),
        stack_name="app",
        template_body=text(A=thing(2), B=thing(1, fixed=2, needs="A"), C=thing({"Ref": "B"}), Z=thing(needs="C")),
    )
    stage.things.log.clear()
    while point not in stage.things.log:
        await asyncio.sleep(0.001)
    await stage.crash()
    stage.things.gate.clear()
    await stage.open()
    assert await stage.until("app") == "UPDATE_COMPLETE"
    found = stage.by_logical_id("app")
    assert found["A"] == {"Value": 2}
    assert found["B"] == {"Value": 1, "Fixed": 2}
    assert len(stage.things.things) == 4
    assert found["C"]["Value"] in stage.things.things


async def test_a_region_killed_during_a_rollback_still_takes_all_back(stage: Stage) -> None:
    stage.things.broken = {"Create C"}
    stage.things.gate["Delete B"] = asyncio.Event()
    await create_stack(
        stage.call(), stack_name="app", template_body=text(A=thing(), B=thing(needs="A"), C=thing(needs="B"))
    )
    while "Delete B" not in stage.things.log:
        await asyncio.sleep(0.001)
    await stage.crash()
    stage.things.gate.clear()
    await stage.open()
    assert await stage.until("app") == "ROLLBACK_COMPLETE"
    assert stage.things.things == {}


async def test_names_tokens_and_capabilities(stage: Stage) -> None:
    body = text(A=thing())
    with pytest.raises(ValidationException, match="failed to satisfy constraint"):
        await create_stack(stage.call(), stack_name="1app", template_body=body)
    first = await create_stack(stage.call(), stack_name="app", template_body=body, client_request_token="t")
    assert await create_stack(stage.call(), stack_name="app", template_body=body, client_request_token="t") == first
    with pytest.raises(AlreadyExistsException, match=r"Stack \[app\] already exists"):
        await create_stack(stage.call(), stack_name="app", template_body=body)
    with pytest.raises(ValidationException, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        await update_stack(stage.call(), stack_name="app", template_body=body)
    role = json.dumps({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x"}}}})
    with pytest.raises(InsufficientCapabilitiesException, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        await create_stack(stage.call(), stack_name="iam", template_body=role, capabilities=["CAPABILITY_IAM"])
    with pytest.raises(Fault, match="Either Template URL or Template Body must be specified"):
        await create_stack(stage.call(), stack_name="none")
    await stage.until("app")


async def test_resources_are_made_as_the_role_when_one_is_given(stage: Stage) -> None:
    await made(stage, text(A=thing()), role_arn="arn:aws:iam::111122223333:role/Deployer")
    assert "arn:aws:sts::111122223333:assumed-role/Deployer/AWSCloudFormation" in stage.things.principals
    assert "arn:aws:iam::111122223333:root" not in stage.things.principals


async def test_parameters_are_kept_and_hidden(stage: Stage) -> None:
    body = json.dumps(
        {
            "Parameters": {"P": {"Type": "String"}, "S": {"Type": "String", "NoEcho": True}},
            "Resources": {"A": thing({"Fn::Sub": "${P}${S}"})},
        }
    )
    given = [{"ParameterKey": "P", "ParameterValue": "p"}, {"ParameterKey": "S", "ParameterValue": "s"}]
    await made(stage, body, parameters=given)
    shown = describe_stacks(stage.call(), stack_name="app")["Stacks"][0]["Parameters"]
    assert shown == [
        {"ParameterKey": "P", "ParameterValue": "p"},
        {"ParameterKey": "S", "ParameterValue": "****"},
    ]
    again = [{"ParameterKey": "P", "ParameterValue": "q"}, {"ParameterKey": "S", "UsePreviousValue": True}]
    await update_stack(stage.call(), stack_name="app", use_previous_template=True, parameters=again)
    await stage.until("app")
    assert stage.by_logical_id("app") == {"A": {"Value": "qs"}}
