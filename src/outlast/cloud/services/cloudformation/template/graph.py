"""Which resource must come before which."""

from __future__ import annotations

from collections.abc import Mapping

from outlast.cloud.services.cloudformation.template.faults import TemplateFault


def check_acyclic(needs: Mapping[str, frozenset[str]]) -> None:
    """Raise TemplateFault naming the resources of a cycle, if there is one."""
    left = {name: set(others) for name, others in needs.items()}
    while True:
        free = [name for name, others in left.items() if not others]
        if not free:
            break
        for name in free:
            del left[name]
        for others in left.values():
            others.difference_update(free)
    if left:
        members = ", ".join(sorted(_on_cycles(left)))
        raise TemplateFault(f"Circular dependency between resources: [{members}]")


def _on_cycles(left: Mapping[str, set[str]]) -> set[str]:
    """Of resources that wait for one another, those that something of the rest waits for."""
    members = {name: set(others) for name, others in left.items()}
    while True:
        waited_for = set().union(*members.values()) if members else set()
        leaves = [name for name in members if name not in waited_for]
        if not leaves:
            return set(members)
        for name in leaves:
            del members[name]


def needed_by(needs: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same arrows turned round: what must go before each resource may be deleted."""
    turned: dict[str, set[str]] = {name: set() for name in needs}
    for name, others in needs.items():
        for other in others:
            if other in turned:
                turned[other].add(name)
    return {name: frozenset(others) for name, others in turned.items()}
