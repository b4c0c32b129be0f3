"""Start a world in this process."""

from __future__ import annotations

import json

from outlast.cloud.world import catalogue, home, region, rekey, supervisor
from outlast.cloud.world.config import WorldConfig
from outlast.cloud.world.control import control as control
from outlast.cloud.world.masterkey import Master
from outlast.cloud.world.nursery import Nursery


def warm() -> None:
    """Import every service and load every model once, before anything is forked."""
    services = catalogue.services()
    catalogue.resource_types(services)
    for service in services:
        _ = service.model.signing_name


def serve(config: WorldConfig, given_key: tuple[str, str] | None = None, master: Master | None = None) -> int:
    """Run the world in the foreground until it is stopped; events go to standard output, a JSON line each.

    `master` is the master key of a world that does not keep it itself; it stays in memory, so that a Region can be
    started again without asking. Raises WorldError.
    """
    existed = config.path.exists()
    held = home.hold(config.path)
    try:
        home.check_ports(config, existed)
        secrets = home.make(config, given_key, master)
        fresh = rekey.finish(config.path, secrets.master_key, notice)
        if fresh is not None:
            secrets = home.read_secrets(config.path, fresh)
        warm()
        nursery = Nursery(
            run_region=lambda name, connection: region.main(config, secrets, name, connection),
            run_supervisor=lambda connection: supervisor.main(config, secrets, connection),
        )
        return nursery.run()
    finally:
        held.release()


def notice(text: str) -> None:
    """Tell whoever started the world."""
    print(json.dumps({"event": "notice", "text": text}), flush=True)
