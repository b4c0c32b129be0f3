"""Speak to the supervisor of a world that runs. Light: the command's short verbs import it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outlast.cloud.world.config import WorldConfig, WorldError, load_config

DOOR_S = 2.0


def is_running(config: WorldConfig) -> bool:
    """Whether somebody holds the front door; a folder with other keys has no other way to know."""
    try:
        socket.create_connection((config.front_host, config.port), timeout=DOOR_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # it is there, and busy
    return True


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
