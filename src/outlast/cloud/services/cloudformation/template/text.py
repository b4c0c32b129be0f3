"""Template text, JSON or YAML with CloudFormation's short tags, to plain data.

YAML is version 1.1 as CloudFormation reads it: anchors, aliases, merges and the tags for binary, timestamp, sets and
pairs are not supported, a date stays text.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from outlast.cloud.services.cloudformation.template.faults import TemplateFault
from outlast.cloud.wire.documents import MAX_DEPTH, Loader, levels

MAX_BODY_BYTES = 51_200
MAX_OBJECT_BYTES = 1_048_576

PLAIN_TAGS = frozenset({"Ref", "Condition"})
FUNCTION_TAGS = frozenset(
    {
        "Base64",
        "Cidr",
        "And",
        "Equals",
        "FindInMap",
        "ForEach",
        "GetAtt",
        "GetAZs",
        "GetStackOutput",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
    }
)


class _Loader(Loader):
    """SafeLoader without aliases, merges, dates and sixty-based numbers, and with CloudFormation's tags."""

    no_aliases = "YAML aliases are not allowed in CloudFormation templates"

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, int | float):
                key = key_node.value
            if not isinstance(key, str):
                raise TemplateFault("Template format error: [/] All keys must be strings")
            if key in found:
                raise _malformed(f"Duplicate key {key}", key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=True)
        return found


def _malformed(why: str, mark: Any = None) -> TemplateFault:
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return TemplateFault(f"Template format error: YAML not well-formed.{where} {why}".rstrip())


def _short_tag(loader: _Loader, suffix: str, node: Node) -> dict[str, Any]:
    if suffix not in PLAIN_TAGS and suffix not in FUNCTION_TAGS:
        raise _malformed(f"Unknown tag !{suffix}", node.start_mark)
    argument: Any
    if isinstance(node, ScalarNode):
        argument = loader.construct_scalar(node)
        if suffix == "GetAtt":
            argument = str(argument).split(".", 1)
    elif isinstance(node, SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        argument = loader.construct_mapping(node, deep=True) if isinstance(node, MappingNode) else None
    return {suffix if suffix in PLAIN_TAGS else f"Fn::{suffix}": argument}


_DROPPED = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"})
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in entries if tag not in _DROPPED]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_multi_constructor("!", _short_tag)


def _refused_tag(_loader: _Loader, node: Node) -> Any:
    raise _malformed(f"The tag {node.tag} is not supported", node.start_mark)


for _name in ("binary", "timestamp", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _refused_tag)


def parse_text(text: str, limit_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The template as plain data; raises TemplateFault with AWS's text when it is not well formed or too long."""
    if len(text.encode("utf-8", "surrogatepass")) > limit_bytes:
        raise TemplateFault(f"Template may not exceed {limit_bytes} bytes in size.")
    try:
        found = _json(text) if text.lstrip()[:1] == "{" else _yaml(text)
        _check_depth(found)
    except RecursionError:
        raise TemplateFault("Template format error: the template is nested too deeply") from None
    if not isinstance(found, dict):
        raise TemplateFault("Template format error: unsupported structure.")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"(line {error.lineno}, column {error.colno})"
        raise TemplateFault(f"Template format error: JSON not well-formed. {where}") from None
    except ValueError:
        raise TemplateFault("Template format error: JSON not well-formed.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise TemplateFault(f"Template format error: JSON not well-formed. Duplicate key {key}")
        found[key] = value
    return found


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader, narrowed
    except yaml.MarkedYAMLError as error:
        raise _malformed(str(error.problem or ""), error.problem_mark) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _malformed(str(error).splitlines()[0]) from None


def _check_depth(value: Any) -> None:
    found = levels(value)
    if len(found) > MAX_DEPTH:
        raise TemplateFault("Template format error: the template is nested too deeply")
    for level in found:
        for one in level:
            _check_scalar(one)


def _check_scalar(value: Any) -> None:
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise TemplateFault(f"Template format error: the number {value} is out of range; write it as text")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise TemplateFault("Template format error: the template holds text that is not Unicode") from None
