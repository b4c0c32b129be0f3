"""The domain's rules as people write them: which table claims what, which items name which. YAML; schema.json says the
form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from outlast.ops.forms import Place, Written, text_of, yaml_of
from outlast.ops.outcome import UsageError

SCHEMA: Final = "outlast.rules/1"
PLACEHOLDER: Final = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
KEEPER: Final = "keeper"
"""In `withdraw`, the claim that stays."""

Text = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that the rules look at. `name` may be `{member}` of the deployment's tables.

    `ignore`: attributes in which two versions may differ without harm. `skip`: beginnings of keys that are no business
    data.
    """

    alias: str
    name: str
    key: str
    ignore: frozenset[str] = frozenset()
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """Items of `claims` claim items of `claimed`; each claimed item has one claim and names it in `holder`.

    A claim stands while its attributes equal `where`; `by` names what it claims. `keep`: which of several claims stays:
    the one that the claimed item names (then the first), or the first by the attribute `first`.
    `mark` is set on the claimed item for the claim that stays, `withdraw` on claims that do not stay; `{attribute}`
    stands for an attribute of the claim, `{keeper}` for the key of the one that stays.
    """

    ident: str
    claims: str
    by: str
    claimed: str
    holder: str
    first: str
    where: Text
    mark: Text
    withdraw: Text
    keep: Literal["holder", "first"] = "holder"


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """Items of `items` (those that equal `where`) name in `by` an item of `to`, which exists. `repair`: what to set on
    an item whose other is missing; None: that is for people to decide."""

    ident: str
    items: str
    by: str
    to: str
    where: Text = field(default_factory=dict)
    repair: Text | None = None


Rule = ClaimRule | ReferenceRule


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A domain: its tables by alias, and its rules."""

    name: str
    tables: Mapping[str, Table]
    rules: tuple[Rule, ...]


def parse(text: str, source: str, names: Mapping[str, str] | None = None) -> RuleFile:
    """The rules in a YAML text; `names` fills `{member}` in names of tables. Raises UsageError naming what is wrong."""
    written = yaml_of(text, source)
    whole = _Members(written, (), {"schema", "name", "tables", "rules"})
    if whole.text("schema") != SCHEMA:
        raise whole.wrong("schema", f"must be {SCHEMA}")
    tables = {alias: _table(whole.below("tables"), alias, names or {}) for alias in whole.below("tables").read}
    listed = whole.value("rules")
    if not isinstance(listed, list) or not listed:
        raise whole.wrong("rules", "must be a list of one rule or more")
    rules = tuple(_rule(_Members(written, ("rules", number)), tables) for number in range(1, len(listed) + 1))
    idents = [rule.ident for rule in rules]
    if len(set(idents)) < len(idents):
        raise UsageError(f"{source}: two rules have one id.")
    return RuleFile(whole.text("name"), tables, rules)


def find(name: str, names: Mapping[str, str] | None = None) -> RuleFile:
    """The rules of the library with this name, or in the file at this path. Raises UsageError."""
    known = library()
    if name in known:
        return parse(known[name], f"{name}.yaml", names)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.exists():
        return parse(text_of(path), str(path), names)
    raise UsageError(f"There are no rules {name}; there are {', '.join(sorted(known))}, or give a YAML file.")


def library() -> dict[str, str]:
    """The rule files that come with the kit: their texts, by name."""
    folder = resources.files("outlast.ops.reconcile").joinpath("library")
    return {
        each.name.removesuffix(".yaml"): each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith(".yaml")
    }


class _Members:
    """The members of the mapping at a place, each asked for by its form. `known` None: any member."""

    def __init__(self, written: Written, place: Place, known: set[str] | None = None) -> None:
        self._written, self._place = written, place
        read = written.read
        for step in place:
            read = read[step - 1 if isinstance(step, int) else step]
        if not isinstance(read, dict):
            raise self.wrong("", "must be a mapping")
        self.read: dict[str, Any] = read
        if known is not None:
            self.only(known)

    def only(self, known: set[str]) -> None:
        unknown = [str(name) for name in self.read if name not in known]
        if unknown:
            told = f"has no member {unknown[0]}; it has {', '.join(sorted(known))}"
            raise UsageError(f"{self._written.at(self._place, (*self._place, unknown[0]))} {told}.")

    def wrong(self, name: str, text: str) -> UsageError:
        """What is wrong with a member; with the whole of them when the name is empty."""
        return UsageError(f"{self._written.at((*self._place, name) if name else self._place)} {text}.")

    def below(self, name: str) -> _Members:
        self.value(name)
        if not isinstance(name, str):
            raise self.wrong("", f"has a name that is no text, {name}")
        return _Members(self._written, (*self._place, name))

    def value(self, name: str) -> Any:
        if name not in self.read:
            raise UsageError(f"{self._written.at(self._place)}: the member {name} is missing.")
        return self.read[name]

    def text(self, name: str, default: str | None = None) -> str:
        found = self.value(name) if default is None else self.read.get(name, default)
        if not isinstance(found, str) or not found:
            raise self.wrong(name, "must be a text")
        return found

    def texts(self, name: str) -> dict[str, str]:
        found = self.read.get(name, {})
        if not isinstance(found, dict) or not all(isinstance(each, str) for pair in found.items() for each in pair):
            raise self.wrong(name, "must map attributes to texts")
        return found

    def words(self, name: str) -> tuple[str, ...]:
        found = self.read.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.wrong(name, "must be a list of texts")
        return tuple(found)


def _table(tables: _Members, alias: str, names: Mapping[str, str]) -> Table:
    members = tables.below(alias)
    members.only({"name", "key", "ignore", "skip"})

    def known(found: re.Match[str]) -> str:
        if found.group(1) not in names:
            raise members.wrong("name", f"must be of the deployment, which has no table {found.group(1)}")
        return names[found.group(1)]

    name = PLACEHOLDER.sub(known, members.text("name"))
    return Table(alias, name, members.text("key"), frozenset(members.words("ignore")), members.words("skip"))


def _rule(members: _Members, tables: Mapping[str, Table]) -> Rule:
    kind = members.value("kind")
    if kind not in ("claim", "reference"):
        raise members.wrong("kind", "must be claim or reference")
    rule = _claim(members) if kind == "claim" else _reference(members)
    for name in ("claims", "claimed") if isinstance(rule, ClaimRule) else ("items", "to"):
        if members.text(name) not in tables:
            raise members.wrong(name, f"must be one of the tables above; there is no table {members.text(name)}")
    return rule


def _claim(members: _Members) -> ClaimRule:
    members.only({"id", "kind", "claims", "by", "claimed", "holder", "first", "where", "mark", "withdraw", "keep"})
    keep = members.text("keep", "holder")
    if keep not in ("holder", "first"):
        raise members.wrong("keep", "must be holder or first")
    rule = ClaimRule(
        ident=members.text("id"),
        claims=members.text("claims"),
        by=members.text("by"),
        claimed=members.text("claimed"),
        holder=members.text("holder"),
        first=members.text("first"),
        where=members.texts("where"),
        mark=members.texts("mark"),
        withdraw=members.texts("withdraw"),
        keep="first" if keep == "first" else "holder",
    )
    if rule.holder not in rule.mark:
        raise members.wrong("mark", f"must set {rule.holder}, which names the holder")
    if not rule.where.keys() & rule.withdraw.keys():
        raise members.wrong("withdraw", "must change an attribute of where, or the claim would go on standing")
    if any(rule.withdraw.get(name) == value for name, value in rule.where.items()):
        raise members.wrong("withdraw", "must change what where asks for")
    return rule


def _reference(members: _Members) -> ReferenceRule:
    members.only({"id", "kind", "items", "by", "to", "where", "repair"})
    return ReferenceRule(
        ident=members.text("id"),
        items=members.text("items"),
        by=members.text("by"),
        to=members.text("to"),
        where=members.texts("where"),
        repair=members.texts("repair") if "repair" in members.read else None,
    )
