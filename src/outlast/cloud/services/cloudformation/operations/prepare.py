"""From a request to a bound blueprint: the part that creation, update and change sets share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import Call, ValidationException
from outlast.cloud.services.cloudformation.errors import InsufficientCapabilitiesException
from outlast.cloud.services.cloudformation.model import Document, StackRecord, blueprint_document
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template import (
    Environment,
    Template,
    TemplateFault,
    bind,
    parse_text,
    read_template,
)
from outlast.cloud.services.cloudformation.template.bind import capabilities_of
from outlast.cloud.services.cloudformation.template.parameters import settle_parameters
from outlast.cloud.services.cloudformation.template.text import MAX_OBJECT_BYTES

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*\Z")
MAX_NAME = 128
MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that has passed all checks that need no wire call."""

    text: str
    template: Template
    values: Mapping[str, str]
    secret_parameters: tuple[str, ...]
    blueprint: Document
    imports: tuple[str, ...]


def check_name(name: str, what: str = "stackName") -> None:
    """Raise ValidationException unless `name` is a good stack or change set name."""
    if len(name) > MAX_NAME or not NAME.match(name):
        raise ValidationException(
            f"1 validation error detected: Value '{name}' at '{what}' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def read_body(template_body: str | None) -> Template:
    """The checked template of a request; raises ValidationException."""
    if template_body is None:
        raise ValidationException("Either Template URL or Template Body must be specified.")
    try:
        return read_template(parse_text(template_body, MAX_OBJECT_BYTES))
    except TemplateFault as fault:
        raise ValidationException(fault.message) from fault


def prepare(
    call: Call[Stacks],
    stack: StackRecord,
    text: str | None,
    given: Sequence[Mapping[str, Any]],
    capabilities: Sequence[str],
) -> Prepared:
    """Read, check and bind the template for `stack`, whose present parameters may be used again; raises Fault."""
    template = read_body(text)
    assert text is not None
    needed, _ = capabilities_of(template)
    missing = [name for name in needed if name not in capabilities and "CAPABILITY_NAMED_IAM" not in capabilities]
    if missing:
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{', '.join(missing)}]")
    exports = {name: value for name, (value, holder) in call.state.exports().items() if holder.id != stack.id}
    environment = Environment(call.region.account_id, call.region.name, stack.id, stack.name, exports=exports)
    try:
        values = settle_parameters(template.parameters, given, stack.parameters)
        blueprint = bind(template, values, environment)
    except TemplateFault as fault:
        raise ValidationException(fault.message) from fault
    return Prepared(
        text=text,
        template=template,
        values=values,
        secret_parameters=tuple(name for name, one in template.parameters.items() if one.no_echo),
        blueprint=blueprint_document(blueprint),
        imports=blueprint.imports,
    )


def read_tags(tags: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Tags as pairs; raises ValidationException for doubles, reserved keys and too many."""
    found = tuple((str(tag["Key"]), str(tag["Value"])) for tag in tags)
    if len(found) > MAX_TAGS:
        raise ValidationException(f"The number of tags must not be more than {MAX_TAGS}")
    keys = [key for key, _ in found]
    if len(set(keys)) != len(keys):
        raise ValidationException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise ValidationException("aws: prefixed tag key names are not allowed for external use.")
    return found


def refuse_notifications(arns: Sequence[str]) -> None:
    """Notifications need topics, which this cloud lacks."""
    if arns:
        raise ValidationException("The parameter NotificationARNs is not supported by this cloud.")


def refuse_rollback_configuration(configuration: Mapping[str, Any] | None) -> None:
    """Rollback triggers are not watched; an empty configuration is harmless."""
    if configuration and (configuration.get("RollbackTriggers") or configuration.get("MonitoringTimeInMinutes")):
        raise ValidationException("The parameter RollbackConfiguration is not supported by this cloud.")


def refuse_type_changes(before: Document, after: Document) -> None:
    """A resource keeps its type for life."""
    changed = sorted(
        name
        for name, one in after["resources"].items()
        if name in before["resources"] and before["resources"][name]["type"] != one["type"]
    )
    if changed:
        raise ValidationException(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(changed)}]"
        )
