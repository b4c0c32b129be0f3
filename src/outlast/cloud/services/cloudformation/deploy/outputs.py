"""Outputs of a stack and the exports among them."""

from __future__ import annotations

from outlast.cloud.services.cloudformation.deploy.resources import Live
from outlast.cloud.services.cloudformation.model import Output
from outlast.cloud.services.cloudformation.state import Stacks
from outlast.cloud.services.cloudformation.template import Blueprint, TemplateFault
from outlast.cloud.services.cloudformation.template.intrinsics import NO_VALUE, reduce, text_of


def settle_outputs(state: Stacks, key: str, blueprint: Blueprint) -> tuple[Output, ...]:
    """The outputs now that all resources exist; raises TemplateFault, also for an export that may not change."""
    found: list[Output] = []
    scope = Live(state, key)
    exports = state.exports()
    stack = state.stack(key)
    for wanted in blueprint.outputs:
        value = reduce(wanted.value, scope)
        if value is NO_VALUE or isinstance(value, list | dict):
            raise TemplateFault(f"Template format error: Output {wanted.name} must evaluate to a String.")
        text = text_of(value, "Output")
        export = wanted.export_name
        if export is not None and export in exports:
            known, holder = exports[export]
            if holder.id != stack.id:
                raise TemplateFault(f"Export with name {export} is already exported by stack {holder.name}.")
            if known != text:
                _refuse_in_use(state, export, "update")
        found.append(Output(wanted.name, text, wanted.description, export))
    kept = {one.export_name for one in found}
    for output in stack.outputs:
        if output.export_name is not None and output.export_name not in kept:
            _refuse_in_use(state, output.export_name, "delete")
    return tuple(found)


def _refuse_in_use(state: Stacks, export: str, verb: str) -> None:
    users = state.importers(export)
    if users:
        raise TemplateFault(f"Cannot {verb} export {export} as it is in use by {' and '.join(users)}.")


def imported_elsewhere(state: Stacks, key: str) -> str:
    """Why the stack may not be deleted: another stack imports one of its exports; empty when none does."""
    stack = state.stack(key)
    for output in stack.outputs:
        if output.export_name is not None:
            users = [name for name in state.importers(output.export_name) if name != stack.name]
            if users:
                return f"Cannot delete export {output.export_name} as it is in use by {' and '.join(users)}."
    return ""
