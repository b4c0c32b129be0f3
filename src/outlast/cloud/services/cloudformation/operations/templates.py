"""Templates checked and shown."""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudformation.operations.paging import shown
from outlast.cloud.services.cloudformation.operations.prepare import read_body
from outlast.cloud.services.cloudformation.operations.source import template_text
from outlast.cloud.services.cloudformation.service import cloudformation, stack_arn
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template import Template
from outlast.cloud.services.cloudformation.template.bind import capabilities_of


@cloudformation.operation(control_plane=True)
async def validate_template(
    call: Call[Stacks], *, template_body: str | None = None, template_url: str | None = None
) -> Reply:
    """Check a template's form and show what it asks for."""
    template = read_body(await template_text(call, template_body, template_url))
    return {
        **_capabilities(template),
        "Description": template.description,
        "DeclaredTransforms": [],
        "Parameters": [
            shown(ParameterKey=one.name, DefaultValue=one.default, NoEcho=one.no_echo, Description=one.description)
            for one in template.parameters.values()
        ],
    }


def _capabilities(template: Template) -> dict[str, Any]:
    needed, types = capabilities_of(template)
    if not needed:
        return {}
    reason = f"The following resource(s) require capabilities: [{', '.join(types)}]"
    return {"Capabilities": needed, "CapabilitiesReason": reason}


@cloudformation.operation(resource=stack_arn, control_plane=True)
def get_template(
    call: Call[Stacks], *, stack_name: str | None = None, change_set_name: str | None = None, template_stage: str = ""
) -> Reply:
    """The text of a stack's or a change set's template; both stages are the same, since nothing is transformed."""
    if change_set_name is not None:
        text = call.state.change_set(change_set_name, stack_name).template
    elif stack_name is not None:
        stack = call.state.find(stack_name)
        deployed = call.state.deployed(stack.key)
        if deployed is None:
            raise ValidationException(f"Stack {stack.name} has no template")
        text = deployed.template
    else:
        raise ValidationException("Either StackName or ChangeSetName must be specified.")
    return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}


@cloudformation.operation(resource=stack_arn, control_plane=True)
async def get_template_summary(
    call: Call[Stacks],
    *,
    template_body: str | None = None,
    template_url: str | None = None,
    stack_name: str | None = None,
) -> Reply:
    """What a template declares."""
    text = await template_text(call, template_body, template_url)
    if text is None and stack_name is not None:
        deployed = call.state.deployed(call.state.find(stack_name).key)
        text = None if deployed is None else deployed.template
    template = read_body(text)
    types = sorted({one.type for one in template.resources.values()})
    return {
        **_capabilities(template),
        "Parameters": [
            shown(
                ParameterKey=one.name,
                DefaultValue=one.default,
                ParameterType=one.type,
                NoEcho=one.no_echo,
                Description=one.description,
                ParameterConstraints={"AllowedValues": list(one.allowed_values)} if one.allowed_values else {},
            )
            for one in template.parameters.values()
        ],
        "Description": template.description,
        "ResourceTypes": types,
        "Version": "2010-09-09",
        "DeclaredTransforms": [],
        "ResourceIdentifierSummaries": [
            {
                "ResourceType": name,
                "LogicalResourceIds": [one.logical_id for one in template.resources.values() if one.type == name],
            }
            for name in types
        ],
    }
