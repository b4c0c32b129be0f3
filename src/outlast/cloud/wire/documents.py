"""YAML that clients send as text, read within bounds: templates and API definitions.

A few hundred bytes of YAML can stand for gigabytes (aliases of aliases) or for more levels than the interpreter has.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml.nodes import Node

MAX_DEPTH: Final = 100


class Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, and flow collections deeper than `MAX_DEPTH`, with yaml.MarkedYAMLError."""

    no_aliases = "YAML aliases are not allowed"

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """The scanner looks at all open levels for each token: a depth that nothing may have is refused at once."""
        if self.flow_level >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="It is nested too deeply")
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.MarkedYAMLError(problem=self.no_aliases)
        return super().compose_node(parent, index)


def levels(document: Any) -> list[list[Any]]:
    """The values of a document, level by level; one level more than `MAX_DEPTH` when it goes deeper than that."""
    found = [[document]]
    while found[-1] and len(found) <= MAX_DEPTH:
        found.append(
            [
                child
                for one in found[-1]
                if isinstance(one, dict | list)
                for child in (one.values() if isinstance(one, dict) else one)
            ]
        )
    return found if found[-1] else found[:-1]
