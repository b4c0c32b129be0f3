"""The sections of a template, checked for their form.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outlast.cloud.services.cloudformation.template.faults import TemplateFault
from outlast.cloud.services.cloudformation.template.parameters import Parameter, read_parameter

MAX_RESOURCES = 500
MAX_OUTPUTS = 200
MAX_PARAMETERS = 200
MAX_MAPPINGS = 200
MAX_DESCRIPTION_BYTES = 1_024
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
    }
)
_REFUSED_SECTIONS = frozenset({"Hooks", "Rules", "Transform"})
_RESOURCE_MEMBERS = frozenset(
    {"Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"}
)
_REFUSED_MEMBERS = frozenset({"CreationPolicy", "UpdatePolicy"})
_OUTPUT_MEMBERS = frozenset({"Condition", "Description", "Export", "Value"})


@dataclass(frozen=True, slots=True)
class Declared:
    """One resource as written: its properties still hold functions."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    deletion_policy: str | None = None
    replace_policy: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredOutput:
    """One output as written."""

    name: str
    value: Any
    description: str = ""
    export_name: Any = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose form is right; its functions are not evaluated yet."""

    description: str
    parameters: Mapping[str, Parameter]
    mappings: Mapping[str, Mapping[str, Mapping[str, Any]]]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Declared]
    outputs: Mapping[str, DeclaredOutput]
    metadata: Any = None


def read_template(source: Mapping[str, Any]) -> Template:
    """Check the form of every section; raises TemplateFault."""
    _check_sections(source)
    version = source.get("AWSTemplateFormatVersion", "2010-09-09")
    if version != "2010-09-09":
        raise TemplateFault(f"Template format error: {version} is not a supported value for AWSTemplateFormatVersion.")
    description = source.get("Description", "")
    if not isinstance(description, str) or len(description.encode()) > MAX_DESCRIPTION_BYTES:
        raise TemplateFault(
            f"Template format error: Description must be a string of at most {MAX_DESCRIPTION_BYTES} bytes."
        )
    resources = _section(source, "Resources", MAX_RESOURCES)
    if not resources:
        raise TemplateFault("Template format error: At least one Resources member must be defined.")
    return Template(
        description=description,
        parameters={
            name: read_parameter(name, one) for name, one in _section(source, "Parameters", MAX_PARAMETERS).items()
        },
        mappings={name: _mapping(name, one) for name, one in _section(source, "Mappings", MAX_MAPPINGS).items()},
        conditions=_section(source, "Conditions", MAX_RESOURCES),
        resources={name: _resource(name, one) for name, one in resources.items()},
        outputs={name: _output(name, one) for name, one in _section(source, "Outputs", MAX_OUTPUTS).items()},
        metadata=source.get("Metadata"),
    )


def _check_sections(source: Mapping[str, Any]) -> None:
    if "Transform" in source:
        names = source["Transform"] if isinstance(source["Transform"], list) else [source["Transform"]]
        shown = ", ".join(str(one.get("Name", one)) if isinstance(one, dict) else str(one) for one in names)
        raise TemplateFault(f"Template error: Transform {shown} is not supported")
    refused = sorted(_REFUSED_SECTIONS & set(source))
    if refused:
        raise TemplateFault(f"Template error: section {refused[0]} is not supported")
    unknown = sorted(set(source) - _SECTIONS)
    if unknown:
        raise TemplateFault(f"Invalid template property or properties [{', '.join(unknown)}]")


def _section(source: Mapping[str, Any], name: str, most: int) -> dict[str, Any]:
    section = source.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise TemplateFault(f"Template format error: [/{name}] '{name}' must be an object.")
    if len(section) > most:
        raise TemplateFault(
            f"Template format error: Number of {name.lower()}, {len(section)}, is greater than maximum allowed, {most}"
        )
    return section


def _mapping(name: str, declared: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(declared, dict):
        raise TemplateFault(f"Template format error: [/Mappings/{name}] Every Mappings member must be a map")
    for top, attributes in declared.items():
        if not isinstance(attributes, dict):
            raise TemplateFault(
                f"Template format error: [/Mappings/{name}/{top}] Every Mappings attribute must be a String or a List."
            )
        for second, value in attributes.items():
            if not isinstance(value, str | int | float | list) or _holds_objects(value):
                raise TemplateFault(
                    f"Template format error: [/Mappings/{name}/{top}/{second}] "
                    "Every Mappings attribute must be a String or a List."
                )
    return declared


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(not isinstance(element, str | int | float) for element in value)


def _resource(name: str, declared: Any) -> Declared:
    where = f"[/Resources/{name}]"
    if not name.isalnum() or not name.isascii() or len(name) > 255:
        raise TemplateFault(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(declared, dict):
        raise TemplateFault(f"Template format error: {where} Every Resources member must be an object.")
    refused = sorted(_REFUSED_MEMBERS & set(declared))
    if refused:
        raise TemplateFault(f"Template error: {refused[0]} of resource {name} is not supported")
    unknown = sorted(set(declared) - _RESOURCE_MEMBERS)
    if unknown:
        raise TemplateFault(f"Invalid template resource property '{unknown[0]}'")
    kind = declared.get("Type")
    if not isinstance(kind, str) or not kind:
        raise TemplateFault(f"Template format error: {where} Every Resources object must contain a Type member.")
    properties = declared.get("Properties") or {}
    if not isinstance(properties, dict):
        raise TemplateFault(f"Template format error: {where} Properties must be an object.")
    return Declared(
        logical_id=name,
        type=kind,
        properties=properties,
        depends_on=_depends_on(name, declared.get("DependsOn", [])),
        condition=_condition_name(declared, where),
        deletion_policy=_policy(declared, "DeletionPolicy", ("Delete", "Retain", "RetainExceptOnCreate"), name),
        replace_policy=_policy(declared, "UpdateReplacePolicy", ("Delete", "Retain"), name),
        metadata=declared.get("Metadata") or {},
    )


def _depends_on(name: str, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or any(not isinstance(one, str) for one in names):
        raise TemplateFault(
            f"Template format error: [/Resources/{name}/DependsOn] DependsOn must be a string or a list of strings."
        )
    return tuple(names)


def _condition_name(declared: Mapping[str, Any], where: str) -> str | None:
    name = declared.get("Condition")
    if name is not None and not isinstance(name, str):
        raise TemplateFault(f"Template format error: {where} Condition must be the name of a condition.")
    return name


def _policy(declared: Mapping[str, Any], member: str, known: tuple[str, ...], name: str) -> str | None:
    value = declared.get(member)
    if value is None or value in known:
        return value
    if value == "Snapshot":
        raise TemplateFault(f"Template error: {member} Snapshot of resource {name} is not supported")
    raise TemplateFault(f"Template format error: Unrecognized {member} {value} for resource {name}")


def _output(name: str, declared: Any) -> DeclaredOutput:
    where = f"[/Outputs/{name}]"
    if not name.isalnum() or not name.isascii():
        raise TemplateFault(f"Template format error: Output name {name} is non alphanumeric.")
    if not isinstance(declared, dict) or "Value" not in declared:
        raise TemplateFault(f"Template format error: {where} Every Outputs member must contain a Value object")
    unknown = sorted(set(declared) - _OUTPUT_MEMBERS)
    if unknown:
        raise TemplateFault(f"Invalid template output property '{unknown[0]}'")
    export = declared.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise TemplateFault(f"Template format error: {where} Export must be an object with the single member Name.")
    return DeclaredOutput(
        name=name,
        value=declared["Value"],
        description=str(declared.get("Description", "")),
        export_name=None if export is None else export["Name"],
        condition=_condition_name(declared, where),
    )
