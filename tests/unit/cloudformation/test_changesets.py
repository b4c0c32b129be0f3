"""Change sets: prepared, shown, executed once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import ValidationException
from outlast.cloud.services.cloudformation.errors import (
    AlreadyExistsException,
    ChangeSetNotFoundException,
    InvalidChangeSetStatusException,
)
from outlast.cloud.services.cloudformation.operations.changesets import (
    create_change_set,
    delete_change_set,
    describe_change_set,
    execute_change_set,
    list_change_sets,
)
from outlast.cloud.services.cloudformation.operations.describe import describe_stacks
from outlast.cloud.services.cloudformation.operations.stacks import delete_stack
from outlast.cloud.services.cloudformation.operations.templates import (
    get_template,
    get_template_summary,
    validate_template,
)
from tests.unit.cloudformation.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "data")
    await stage.open()
    yield stage
    await stage.crash()


def body(**values: Any) -> str:
    return json.dumps(
        {"Resources": {name: {"Type": "Test::A::Thing", "Properties": {"Value": v}} for name, v in values.items()}}
    )


async def deployed(stage: Stage, template: str, kind: str = "CREATE", name: str = "c1") -> str:
    await create_change_set(
        stage.call(), stack_name="app", change_set_name=name, template_body=template, change_set_type=kind
    )
    await execute_change_set(stage.call(), stack_name="app", change_set_name=name)
    return await stage.until("app")


async def test_a_stack_is_made_and_changed_by_change_sets(stage: Stage) -> None:
    reply = await create_change_set(
        stage.call(), stack_name="app", change_set_name="c1", template_body=body(A=1), change_set_type="CREATE"
    )
    assert stage.state.find("app").status == "REVIEW_IN_PROGRESS"
    shown = describe_change_set(stage.call(), change_set_name=reply["Id"])
    assert (shown["Status"], shown["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [c["ResourceChange"]["Action"] for c in shown["Changes"]] == ["Add"]
    assert stage.things.log == []
    await execute_change_set(stage.call(), change_set_name=reply["Id"])
    assert await stage.until("app") == "CREATE_COMPLETE"
    await create_change_set(stage.call(), stack_name="app", change_set_name="c2", template_body=body(A=2, B=1))
    shown = describe_change_set(stage.call(), stack_name="app", change_set_name="c2")
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in shown["Changes"]}
    assert changes["A"]["Action"] == "Modify"
    assert changes["A"]["Details"][0]["Target"]["Name"] == "Value"
    assert changes["A"]["PhysicalResourceId"] in stage.things.things
    assert changes["B"]["Action"] == "Add"
    await execute_change_set(stage.call(), stack_name="app", change_set_name="c2")
    assert await stage.until("app") == "UPDATE_COMPLETE"
    assert stage.by_logical_id("app") == {"A": {"Value": 2}, "B": {"Value": 1}}
    with pytest.raises(InvalidChangeSetStatusException, match="cannot be executed"):
        await execute_change_set(stage.call(), stack_name="app", change_set_name="c2")


async def test_a_change_set_without_changes_fails(stage: Stage) -> None:
    await deployed(stage, body(A=1))
    await create_change_set(stage.call(), stack_name="app", change_set_name="c2", template_body=body(A=1))
    shown = describe_change_set(stage.call(), stack_name="app", change_set_name="c2")
    assert (shown["Status"], shown["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert shown["StatusReason"].startswith("The submitted information didn't contain changes.")
    delete_change_set(stage.call(), stack_name="app", change_set_name="c2")
    with pytest.raises(ChangeSetNotFoundException, match=r"ChangeSet \[c2\] does not exist"):
        describe_change_set(stage.call(), stack_name="app", change_set_name="c2")


async def test_executing_one_voids_the_others(stage: Stage) -> None:
    await deployed(stage, body(A=1))
    for name in ("c2", "c3"):
        await create_change_set(stage.call(), stack_name="app", change_set_name=name, template_body=body(A=name))
    await execute_change_set(stage.call(), stack_name="app", change_set_name="c3")
    await stage.until("app")
    names = [one["ChangeSetName"] for one in list_change_sets(stage.call(), stack_name="app")["Summaries"]]
    assert names == ["c3"]


async def test_refusals(stage: Stage) -> None:
    with pytest.raises(ValidationException, match="does not exist"):
        await create_change_set(stage.call(), stack_name="app", change_set_name="c", template_body=body(A=1))
    await deployed(stage, body(A=1))
    with pytest.raises(ValidationException, match=r"Stack \[app\] already exists and cannot be created again"):
        await create_change_set(
            stage.call(), stack_name="app", change_set_name="c", template_body=body(A=1), change_set_type="CREATE"
        )
    await create_change_set(stage.call(), stack_name="app", change_set_name="c2", template_body=body(A=2))
    with pytest.raises(AlreadyExistsException):
        await create_change_set(stage.call(), stack_name="app", change_set_name="c2", template_body=body(A=2))
    other = json.dumps({"Resources": {"A": {"Type": "Test::A::Other"}}})
    with pytest.raises(ValidationException, match=r"Update of resource type is not permitted.*\[A\]"):
        await create_change_set(stage.call(), stack_name="app", change_set_name="c3", template_body=other)


async def test_a_stack_in_review_goes_at_once(stage: Stage) -> None:
    await create_change_set(
        stage.call(), stack_name="app", change_set_name="c1", template_body=body(A=1), change_set_type="CREATE"
    )
    delete_stack(stage.call(), stack_name="app")
    assert stage.state.named("app") is None


async def test_templates_are_validated_summarised_and_kept(stage: Stage) -> None:
    source = """
    Description: One role
    Parameters: {P: {Type: Number, Default: 3, Description: size}}
    Resources: {R: {Type: AWS::IAM::Role}}
    """
    reply = await validate_template(stage.call(), template_body=source)
    assert reply["Capabilities"] == ["CAPABILITY_IAM"]
    assert reply["Parameters"] == [{"ParameterKey": "P", "DefaultValue": "3", "NoEcho": False, "Description": "size"}]
    summary = await get_template_summary(stage.call(), template_body=source)
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"]
    assert summary["Parameters"][0]["ParameterType"] == "Number"
    await deployed(stage, body(A=1))
    assert get_template(stage.call(), stack_name="app")["TemplateBody"] == body(A=1)
    with pytest.raises(ValidationException, match="Template format error"):
        await validate_template(stage.call(), template_body="{")


async def test_a_stack_without_outputs_shows_none(stage: Stage) -> None:
    assert await deployed(stage, body(A=1)) == "CREATE_COMPLETE"
    assert "Outputs" not in describe_stacks(stage.call(), stack_name="app")["Stacks"][0]
