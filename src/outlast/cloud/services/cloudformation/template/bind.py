"""A template bound to its parameters and its place: a blueprint of plain data that says what should exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from outlast.cloud.services.cloudformation.template.document import Declared, Template
from outlast.cloud.services.cloudformation.template.faults import TemplateFault
from outlast.cloud.services.cloudformation.template.graph import check_acyclic
from outlast.cloud.services.cloudformation.template.intrinsics import (
    NO_VALUE,
    PENDING,
    is_pending,
    judge,
    reduce,
    references,
)

_NAMED_IAM = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}
_PLAIN_IAM = frozenset({"AWS::IAM::AccessKey", "AWS::IAM::Policy", "AWS::IAM::UserToGroupAddition"})


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a template is bound: the pseudo parameters and the exports of its Region."""

    account_id: str
    region: str
    stack_id: str
    stack_name: str
    notification_arns: tuple[str, ...] = ()
    exports: Mapping[str, str] = field(default_factory=dict)

    def pseudo(self, name: str) -> Any:
        """The value of AWS::…; PENDING when there is no such pseudo parameter."""
        return {
            "AWS::AccountId": self.account_id,
            "AWS::Region": self.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NotificationARNs": list(self.notification_arns),
            "AWS::NoValue": NO_VALUE,
        }.get(name, PENDING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One resource that should exist; functions that refer to other resources are still in place."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """One output; its value may wait for resources, its export name never does."""

    name: str
    value: Any
    description: str = ""
    export_name: str | None = None


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All that should exist, in plain data."""

    resources: Mapping[str, Wanted]
    outputs: tuple[WantedOutput, ...]
    imports: tuple[str, ...] = ()

    @property
    def needs(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(one.needs) for name, one in self.resources.items()}


class _Binding:
    """The scope of binding: everything but resources is known."""

    def __init__(self, template: Template, values: Mapping[str, str], environment: Environment) -> None:
        self._template = template
        self._environment = environment
        self._parameters = {name: template.parameters[name].value(text) for name, text in values.items()}
        self._judged: dict[str, bool] = {}
        self._judging: list[str] = []
        self.undefined: set[str] = set()
        self.imports: set[str] = set()
        self.kept: frozenset[str] = frozenset()

    def ref(self, name: str) -> Any:
        if name in self._parameters:
            return self._parameters[name]
        if name.startswith("AWS::"):
            value = self._environment.pseudo(name)
            if value is PENDING:
                self.undefined.add(name)
            return value
        if name not in self.kept and not self._judging:
            self.undefined.add(name)
        return PENDING

    def attribute(self, resource: str, name: str) -> Any:
        if resource not in self._template.resources:
            raise TemplateFault(f"Template error: instance of Fn::GetAtt references undefined resource {resource}")
        if resource not in self.kept and not self._judging:
            self.undefined.add(resource)
        return PENDING

    def condition(self, name: str) -> bool:
        if name not in self._judged:
            if name not in self._template.conditions:
                raise TemplateFault(f"Template error: unresolved condition dependency {name} in the template")
            if name in self._judging:
                raise TemplateFault(f"Template error: Found circular condition dependency: {', '.join(self._judging)}")
            self._judging.append(name)
            self._judged[name] = judge(self._template.conditions[name], self)
            self._judging.pop()
        return self._judged[name]

    def mapped(self, mapping: str, top: str, second: str) -> Any:
        if mapping not in self._template.mappings:
            raise TemplateFault(
                f"Template error: Mapping named '{mapping}' is not present in the 'Mappings' section of template."
            )
        try:
            return self._template.mappings[mapping][top][second]
        except KeyError:
            raise TemplateFault(f"Template error: Unable to get mapping for {mapping}::{top}::{second}") from None

    def imported(self, name: str) -> str:
        if name not in self._environment.exports:
            raise TemplateFault(f"No export named {name} found.")
        self.imports.add(name)
        return self._environment.exports[name]

    def zones(self, region: str) -> list[str]:
        return [f"{region or self._environment.region}{letter}" for letter in "abc"]


def bind(template: Template, values: Mapping[str, str], environment: Environment) -> Blueprint:
    """Evaluate all that does not wait for resources; raises TemplateFault with AWS's text.

    `values` holds the text of every declared parameter (see `settle_parameters`).
    """
    scope = _Binding(template, values, environment)
    for name in template.conditions:
        scope.condition(name)
    kept = {
        name: one for name, one in template.resources.items() if one.condition is None or scope.condition(one.condition)
    }
    scope.kept = frozenset(kept)
    resources = {name: _wanted(template, one, scope) for name, one in kept.items()}
    _refuse_undefined(scope, template, "Resources")
    outputs = tuple(_outputs(template, scope))
    _refuse_undefined(scope, template, "Outputs")
    blueprint = Blueprint(resources, outputs, tuple(sorted(scope.imports)))
    check_acyclic(blueprint.needs)
    return blueprint


def _refuse_undefined(scope: _Binding, template: Template, block: str) -> None:
    """AWS says it in other words of resources that there are, but that a condition leaves out."""
    if scope.undefined:
        names = ", ".join(sorted(scope.undefined))
        text = f"Unresolved resource dependencies [{names}] in the {block} block of the template"
        raise TemplateFault(text if scope.undefined <= template.resources.keys() else f"Template format error: {text}")


def _wanted(template: Template, declared: Declared, scope: _Binding) -> Wanted:
    properties = reduce(declared.properties, scope)
    refuse_dynamic(properties, declared.logical_id)
    needs = references(properties)
    for name in declared.depends_on:
        if name not in template.resources:
            scope.undefined.add(name)
        elif name in scope.kept:
            needs.add(name)
    if declared.logical_id in needs:
        raise TemplateFault(f"Circular dependency between resources: [{declared.logical_id}]")
    return Wanted(
        logical_id=declared.logical_id,
        type=declared.type,
        properties=properties,
        needs=tuple(sorted(needs)),
        deletion_policy=declared.deletion_policy or "Delete",
        replace_policy=declared.replace_policy or "Delete",
    )


def _outputs(template: Template, scope: _Binding) -> Iterator[WantedOutput]:
    for output in template.outputs.values():
        if output.condition is not None and not scope.condition(output.condition):
            continue
        value = reduce(output.value, scope)
        if isinstance(value, list | dict) and not is_pending(value):
            raise TemplateFault(
                "Template format error: The Value field of every Outputs member must evaluate "
                f"to a String. ({output.name})"
            )
        export = None if output.export_name is None else reduce(output.export_name, scope)
        if export is not None and not isinstance(export, str):
            raise TemplateFault(
                f"Template format error: Output {output.name} is malformed. The Name field of every Export member "
                "must be specified and evaluate to a String, without references to resources."
            )
        if value is not NO_VALUE:
            yield WantedOutput(output.name, value, output.description, export)


def refuse_dynamic(value: Any, logical_id: str) -> None:
    """Raise TemplateFault when a dynamic reference such as {{resolve:ssm:name}} stands anywhere in `value`."""
    for text in _texts(value):
        start = text.find("{{resolve:")
        if start >= 0:
            shown = text[start : text.find("}}", start) + 2] if "}}" in text[start:] else text[start:]
            raise TemplateFault(f"Template error: dynamic reference {shown} in resource {logical_id} is not supported")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for element in value:
            yield from _texts(element)


def capabilities_of(template: Template) -> tuple[list[str], list[str]]:
    """The capabilities a template needs and the resource types that need them."""
    named = any(
        one.type in _NAMED_IAM and _NAMED_IAM[one.type] in one.properties for one in template.resources.values()
    )
    types = sorted(
        {one.type for one in template.resources.values() if one.type in _NAMED_IAM or one.type in _PLAIN_IAM}
    )
    if not types:
        return [], []
    return (["CAPABILITY_NAMED_IAM"] if named else ["CAPABILITY_IAM"]), types
