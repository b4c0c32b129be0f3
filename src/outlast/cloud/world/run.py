"""Start a world in this process, or speak to one that runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outlast.cloud.world import catalogue, home, region, supervisor
from outlast.cloud.world.config import WorldConfig, WorldError, load_config
from outlast.cloud.world.nursery import Nursery


def warm() -> None:
    """Import every service and load every model once, before anything is forked."""
    services = catalogue.services()
    catalogue.resource_types(services)
    for service in services:
        _ = service.model.signing_name


def serve(config: WorldConfig, given_key: tuple[str, str] | None = None) -> int:
    """Run the world in the foreground until it is stopped; events go to standard output, a JSON line each."""
    held = home.hold(config.path)
    try:
        home.check_ports(config)
        secrets = home.make(config, given_key)
        warm()
        nursery = Nursery(
            run_region=lambda name, connection: region.main(config, secrets, name, connection),
            run_supervisor=lambda connection: supervisor.main(config, secrets, connection),
        )
        return nursery.run()
    finally:
        held.release()


def control(folder: Path, verb: str, content: Mapping[str, Any] | None = None, timeout_s: float = 90.0) -> Any:
    """Ask the running supervisor of the world in `folder`; raises WorldError when there is none or it refuses."""
    config = load_config(folder)
    if config is None:
        raise WorldError(f"There is no world in {folder}; `outlast up` makes one.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(config.control_path))
            connection.sendall(json.dumps({"verb": verb, "content": content or {}}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except OSError as error:
            raise WorldError(f"No world is running on {folder}.") from error
    if not line:
        raise WorldError("The world stopped before it answered.")
    answer = json.loads(line)
    if "error" in answer:
        raise WorldError(answer["error"])
    return answer["result"]
