"""The replicas side by side: what one holds and another does not. Pure but for the reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import DENIED, STRANGER, error_code
from outlast.ops.ledger.model import Unseen
from outlast.ops.outcome import OpsError, UndecidedError
from outlast.ops.reconcile.findings import Finding
from outlast.ops.reconcile.items import Item, Ref
from outlast.ops.reconcile.rules import RuleFile
from outlast.ops.reconcile.store import Store

REPLICAS: Final = "replicas-are-alike"
"""The rule that every domain has."""


@dataclass(slots=True)
class Held:
    """What each Region holds, by table alias and key. Regions that could not be read are in `unseen`."""

    regions: dict[str, dict[str, dict[Ref, Item]]]
    unseen: tuple[Unseen, ...]

    @property
    def items(self) -> int:
        """Items read, over all replicas."""
        return sum(len(items) for tables in self.regions.values() for items in tables.values())


def read(stores: Sequence[Store], rules: RuleFile) -> Held:
    """Every table of every replica. Raises what a store raises, and when no Region can be read UndecidedError; OpsError
    where our credentials are refused everywhere.
    """
    with ThreadPoolExecutor(max(1, len(stores))) as pool:
        answers = list(pool.map(lambda store: _read(store, rules), stores))
    regions = {store.region: answer for store, answer in zip(stores, answers, strict=True) if isinstance(answer, dict)}
    unseen = tuple(answer for answer in answers if isinstance(answer, Unseen))
    if not regions:
        told = f"No replica can be read: {'; '.join(f'{each.region}: {each.why}' for each in unseen)}."
        unwelcome = all(each.why in STRANGER | DENIED for each in unseen)
        raise OpsError(told) if unwelcome else UndecidedError(told)
    return Held(regions, unseen)


def _read(store: Store, rules: RuleFile) -> dict[str, dict[Ref, Item]] | Unseen:
    try:
        return {alias: store.scan(table) for alias, table in rules.tables.items()}
    except (ClientError, BotoCoreError) as error:
        return Unseen(store.region, "tables", error_code(error))


def refresh(held: Held, stores: Sequence[Store], rules: RuleFile, touches: Iterable[tuple[str, Ref]]) -> None:
    """Read these items again, in every replica that is held. Raises botocore's errors."""
    wanted: dict[str, list[Ref]] = {}
    for alias, key in touches:
        wanted.setdefault(alias, []).append(key)
    for store in stores:
        for alias, keys in wanted.items():
            if store.region in held.regions:
                found = store.fetch(rules.tables[alias], keys)
                items = held.regions[store.region][alias]
                for key in keys:
                    if key in found:
                        items[key] = found[key]
                    else:
                        items.pop(key, None)


def stranded(held: Held) -> Iterator[Finding]:
    """Items that the replicas do not hold alike."""
    names = list(held.regions)
    for alias in held.regions[names[0]] if len(names) > 1 else ():
        replicas = {region: held.regions[region][alias] for region in names}
        keys = {key for items in replicas.values() for key in items}
        for key in sorted(keys):
            versions = {region: items.get(key) for region, items in replicas.items()}
            first = versions[names[0]]
            if any(version != first for version in versions.values()):
                touches = frozenset({(alias, key)})
                yield Finding("stranded", REPLICAS, alias, key, f"{alias} {key.text} {_told(versions)}", touches)


def _told(versions: Mapping[str, Item | None]) -> str:
    lacking = [region for region, version in versions.items() if version is None]
    holding = [region for region, version in versions.items() if version is not None]
    if lacking:
        return f"is in {', '.join(holding)} and not in {', '.join(lacking)}"
    first, *_ = versions.values()
    names = {
        name
        for version in versions.values()
        for name in (version or {}).keys() | (first or {}).keys()
        if (version or {}).get(name) != (first or {}).get(name)
    }
    return f"differs between {' and '.join(versions)} in {', '.join(sorted(names))}"
