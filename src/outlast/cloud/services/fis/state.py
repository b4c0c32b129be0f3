"""Templates and experiments of one Region, kept on shelves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.fis.errors import ResourceNotFoundException

Document = dict[str, Any]
ENDED = frozenset({"completed", "stopped", "failed", "cancelled"})
KEPT_EXPERIMENTS = 200


class Experiments:
    """What FIS holds in a Region. `wake` is set when there is something to do."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.templates = Shelf(region, "fis/templates")
        self.experiments = Shelf(region, "fis/experiments")
        self.wake = asyncio.Event()

    def template(self, ident: str) -> Document:
        """The template; raises ResourceNotFoundException."""
        found = self.templates.get(ident)
        if found is None:
            raise ResourceNotFoundException(f"The experiment template {ident} could not be found.")
        return found

    def experiment(self, ident: str) -> Document:
        """The experiment; raises ResourceNotFoundException."""
        found = self.experiments.get(ident)
        if found is None:
            raise ResourceNotFoundException(f"The experiment {ident} could not be found.")
        return found

    def running(self) -> list[Document]:
        """Experiments that have not ended."""
        return [each for _, each in self.experiments.items() if each["state"]["status"] not in ENDED]

    def save(self, experiment: Mapping[str, Any]) -> None:
        """Keep an experiment."""
        self.experiments.put(experiment["id"], experiment)

    def forget_oldest(self) -> None:
        """Keep the newest experiments only."""
        ended = sorted(
            (each for _, each in self.experiments.items() if each["state"]["status"] in ENDED),
            key=lambda each: each["creationTime"],
        )
        for each in ended[: max(0, len(ended) - KEPT_EXPERIMENTS)]:
            self.experiments.delete(each["id"])
