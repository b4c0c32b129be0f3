"""Applying an update: pure; every operand is read from the item as it was before.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import numbers
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.expressions.evaluate import Bindings, Read, follow, reader
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.expressions.tree import (
    Action,
    Add,
    Arithmetic,
    Assign,
    Discard,
    IfNotExists,
    ListAppend,
    Literal,
    Operand,
    Path,
    Remove,
    SetChange,
)
from outlast.cloud.services.dynamodb.values import Item, Value

MISSING = "The provided expression refers to an attribute that does not exist in the item"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
TYPE_MISMATCH = "Type mismatch for attribute to update"
WRONG_PATH = "The document path provided in the update expression is invalid for update"
Edit = Callable[["Value | None", Value], "Value | None"]
Branch = dict[str | int, Any]


class Update:
    """A list of actions, ready to apply to items.

    `heads` are the top-level attributes that it touches; `creates` tells whether it makes an item where there was none,
    `defaults` whether it has values that may be written nowhere. `too_deep` is said of a value past the deepest level.
    """

    __slots__ = ("_nested", "_steps", "actions", "creates", "defaults", "heads", "too_deep", "touched")

    def __init__(self, actions: Sequence[Action], too_deep: str = av.TOO_DEEP) -> None:
        self.actions = tuple(actions)
        self.too_deep = too_deep
        self._steps = [_Step(action) for action in actions]
        self._nested = any(len(action.path) > 1 for action in actions)
        self.heads = tuple(dict.fromkeys(str(action.path[0]) for action in actions))
        self.creates = not actions or any(isinstance(action, (Assign, Add)) for action in actions)
        self.defaults = any(isinstance(action, Assign) and _has_default(action.operand) for action in actions)
        self.touched = Projection([action.path for action in actions])

    def apply(self, item: Item, values: Bindings) -> Item:
        """The item with the actions applied; `item` stays as it was, untouched parts are shared.

        Raises ValidationException for missing operands, wrong types and paths that lead nowhere.
        """
        operands = [step.operand(item, values) for step in self._steps]
        changed = dict(item)
        if not self._nested:
            for step, operand in zip(self._steps, operands, strict=True):
                head = step.head
                result = step.edit(changed.get(head), operand)
                if result is None:
                    changed.pop(head, None)
                else:
                    changed[head] = result
            return changed
        for head, branch in self._branches(operands).items():
            if isinstance(branch, _Leaf):
                result = branch.edit(changed.get(head), branch.operand)
            else:
                result = _edited(changed.get(head), branch)
            if result is None:
                changed.pop(head, None)
            else:
                changed[head] = result
        return changed

    def _branches(self, operands: list[Value]) -> dict[str, Any]:
        """The actions as a tree by their paths."""
        tree: Branch = {}
        for step, operand in zip(self._steps, operands, strict=True):
            branch = tree
            for part in step.path[:-1]:
                branch = branch.setdefault(part, {})
            if step.is_assign and len(step.path) - 1 + av.value_depth(operand) > av.MAX_CONTAINERS:
                raise ValidationException(self.too_deep)
            branch[step.path[-1]] = _Leaf(step.edit, operand)
        return tree  # type: ignore[return-value]


def _has_default(operand: Operand) -> bool:
    if isinstance(operand, Arithmetic):
        return _has_default(operand.left) or _has_default(operand.right)
    if isinstance(operand, ListAppend):
        return _has_default(operand.first) or _has_default(operand.second)
    return isinstance(operand, IfNotExists)


class _Leaf:
    __slots__ = ("edit", "operand")

    def __init__(self, edit: Edit, operand: Value) -> None:
        self.edit = edit
        self.operand = operand


class _Step:
    """One action: how to read its operand and how to change the value at its path."""

    __slots__ = ("edit", "head", "is_assign", "operand", "path")

    def __init__(self, action: Action) -> None:
        self.path = action.path
        self.head = str(action.path[0])
        self.is_assign = isinstance(action, Assign)
        if isinstance(action, Remove):
            self.operand: Callable[[Item, Bindings], Value] = _nothing
            self.edit: Edit = _removed
        else:
            self.operand = operand_reader(action.operand)
            is_legacy = isinstance(action, (Add, Discard)) and isinstance(action.operand, Literal)
            self.edit = (_LEGACY_EDITS if is_legacy else _EDITS)[type(action)]


def _nothing(_item: Item, _values: Bindings) -> Value:
    return {}


def _removed(_current: Value | None, _operand: Value) -> None:
    return None


def _assigned(_current: Value | None, operand: Value) -> Value | None:
    return operand or None


def added(current: Value | None, operand: Value) -> Value:
    """ADD: a number is increased, a set united, a list (legacy only) extended."""
    if current is None:
        return operand
    for kind, raw in operand.items():
        held = current.get(kind)
        if held is None:
            break
        if kind == "N":
            return {"N": numbers.add(held, raw)}
        if kind in ("SS", "NS", "BS"):
            known = set(held)
            return {kind: av.in_order(kind, [*held, *(member for member in raw if member not in known)])}
        if kind == "L":
            return {"L": [*held, *raw]}
    raise ValidationException(WRONG_TYPE)


def discarded(current: Value | None, operand: Value) -> Value | None:
    """DELETE: members are taken out of a set; an empty set vanishes."""
    if current is None:
        return None
    for kind, raw in operand.items():
        held = current.get(kind)
        if held is None or kind not in ("SS", "NS", "BS"):
            break
        gone = set(raw)
        kept = [member for member in held if member not in gone]
        return {kind: kept} if kept else None
    raise ValidationException(WRONG_TYPE)


def _in_legacy_words(edit: Edit) -> Edit:
    """ADD and DELETE of AttributeUpdates name a wrong type in words of their own."""

    def worded(current: Value | None, operand: Value) -> Value | None:
        try:
            return edit(current, operand)
        except ValidationException as fault:
            if fault.message == WRONG_TYPE:
                raise ValidationException(TYPE_MISMATCH) from None
            raise

    return worded


_EDITS: dict[type, Edit] = {Assign: _assigned, Add: added, Discard: discarded}
_LEGACY_EDITS: dict[type, Edit] = {Add: _in_legacy_words(added), Discard: _in_legacy_words(discarded)}


def _edited(value: Value | None, branch: Branch) -> Value:
    """A map or list with the branch's changes; the containers on the way are copied."""
    if value is None:
        raise ValidationException(WRONG_PATH)
    members = value.get("M")
    if members is not None:
        return {"M": _edited_map(members, branch)}
    elements = value.get("L")
    if elements is not None:
        return {"L": _edited_list(elements, branch)}
    raise ValidationException(WRONG_PATH)


def _edited_map(members: dict[str, Value], branch: Branch) -> dict[str, Value]:
    changed = dict(members)
    for part, below in branch.items():
        if isinstance(part, int):
            raise ValidationException(WRONG_PATH)
        if isinstance(below, _Leaf):
            result = below.edit(changed.get(part), below.operand)
        else:
            result = _edited(changed.get(part), below)
        if result is None:
            changed.pop(part, None)
        else:
            changed[part] = result
    return changed


def _edited_list(elements: list[Value], branch: Branch) -> list[Value]:
    """Indexes mean the list as it was; what lies beyond its end is appended in the order of the indexes."""
    changed: list[Value | None] = list(elements)
    parts = []
    for part in branch:
        if not isinstance(part, int):
            raise ValidationException(WRONG_PATH)
        parts.append(part)
    for part in sorted(parts):
        below = branch[part]
        current = elements[part] if part < len(elements) else None
        result = below.edit(current, below.operand) if isinstance(below, _Leaf) else _edited(current, below)
        if part < len(elements):
            changed[part] = result
        elif result is not None:
            changed.append(result)
    return [element for element in changed if element is not None]


def operand_reader(operand: Operand) -> Callable[[Item, Bindings], Value]:
    """A closure that gives the value of an update's operand; raises ValidationException when it has none."""
    if isinstance(operand, Path):
        parts = operand.parts

        def attribute(item: Item, _values: Bindings) -> Value:
            value = follow(item, parts)
            if value is None:
                raise ValidationException(MISSING)
            return value

        return attribute
    if isinstance(operand, IfNotExists):
        path, otherwise = operand.path.parts, operand_reader(operand.otherwise)

        def present(item: Item, values: Bindings) -> Value:
            value = follow(item, path)
            return otherwise(item, values) if value is None else value

        return present
    if isinstance(operand, ListAppend):
        return _list_append(operand)
    if isinstance(operand, Arithmetic):
        return _arithmetic(operand)
    if isinstance(operand, SetChange):
        return _set_change(operand)
    return _demanded(reader(operand))


def _demanded(read: Read) -> Callable[[Item, Bindings], Value]:
    def value(item: Item, values: Bindings) -> Value:
        found = read(item, values)
        if found is None:
            raise ValidationException(MISSING)
        return found

    return value


def _list_append(operand: ListAppend) -> Callable[[Item, Bindings], Value]:
    first, second = operand_reader(operand.first), operand_reader(operand.second)

    def joined(item: Item, values: Bindings) -> Value:
        one, two = first(item, values).get("L"), second(item, values).get("L")
        if one is None or two is None:
            raise ValidationException(WRONG_TYPE)
        return {"L": [*one, *two]}

    return joined


def _arithmetic(operand: Arithmetic) -> Callable[[Item, Bindings], Value]:
    left, right = operand_reader(operand.left), operand_reader(operand.right)
    compute = numbers.add if operand.operator == "+" else numbers.subtract

    def result(item: Item, values: Bindings) -> Value:
        one, two = left(item, values).get("N"), right(item, values).get("N")
        if one is None or two is None:
            raise ValidationException(WRONG_TYPE)
        return {"N": compute(one, two)}

    return result


def _set_change(operand: SetChange) -> Callable[[Item, Bindings], Value]:
    path, members = operand.path.parts, operand_reader(operand.members)
    change: Edit = added if operand.function == "set_add" else discarded

    def result(item: Item, values: Bindings) -> Value:
        part = members(item, values)
        if not part.keys() & {"SS", "NS", "BS"}:
            raise ValidationException(WRONG_TYPE)
        return change(follow(item, path), part) or {}

    return result
