"""A world's folder: its authority, keys and credentials are made with it, private to the user, and found again later.

world.json      what the world is made of
ca.pem          the authority's certificate, for clients
ca-key.pem      its key            (mode 600)
keys.json       sealing key, the root's access key, and the master key or what it takes to know it again (mode 600)
credentials     the same access key as an AWS credentials file (mode 600)
config          an AWS configuration file without surprises, beside it
regions/NAME/   what each Region keeps, encrypted
control.sock    the running supervisor
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import fcntl
import json
import os
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outlast.cloud.identity.credentials import looks_real
from outlast.cloud.world import masterkey
from outlast.cloud.world.authority import Authority, Pair
from outlast.cloud.world.config import WorldConfig, WorldError, is_free, make_folder, save, unusable
from outlast.cloud.world.environment import environment as environment
from outlast.cloud.world.files import write_private
from outlast.cloud.world.masterkey import KEY_BYTES, Master
from outlast.cloud.world.region import Secrets

KEY_PREFIX = "AKIALOCAL"
"""Access keys of a world can be told from AWS's at a glance and mean nothing there."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def make_access_key() -> tuple[str, str]:
    """A fresh pair (access key id, secret access key) of AWS's lengths."""
    head = KEY_PREFIX + "".join(random.choice(ALPHABET) for _ in range(20 - len(KEY_PREFIX)))
    return head, base64.b64encode(random.token_bytes(30)).decode()


@dataclass(slots=True)
class Hold:
    """The folder held by this process; released with it."""

    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def hold(folder: Path) -> Hold:
    """Take the folder for this process alone; raises WorldError with one clear line."""
    make_folder(folder)
    try:
        descriptor = os.open(folder / "world.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise WorldError(f"A world is running on {folder} already; `outlast down` stops it.") from None
    return Hold(descriptor)


def check_ports(config: WorldConfig, existed: bool = True) -> None:
    """Raise WorldError when a port of the world is taken; then nothing is left of one that was not made yet, nor of its
    folder unless that `existed`. Called by whoever holds the folder."""
    wanted = [(config.front_host, config.port, False)]
    for host in (config.hosts[region] for region in config.local):
        wanted += [(host, config.port, False), (host, config.link_port, False), (host, config.dns_port, True)]
        if config.https_port:
            wanted.append((host, config.https_port, False))
    for host, port, udp in wanted:
        if not is_free(host, port, udp=udp):
            if not (config.path / "world.json").exists():
                with contextlib.suppress(OSError):
                    (config.path / "world.lock").unlink()
                    if not existed:
                        config.path.rmdir()
            raise WorldError(f"Port {port} on {host} is in use or not allowed; choose another with --port.")


def make(config: WorldConfig, given_key: tuple[str, str] | None = None, master: Master | None = None) -> Secrets:
    """Write a new world's files and return its secrets; keeps what exists already. Raises WorldError.

    `master` is the key of a world that does not keep it itself.
    """
    folder = config.path
    if given_key is not None and looks_real(given_key[0]):
        raise WorldError("That access key looks like one of AWS's own; a world takes only made-up keys (AKIALOCAL...).")
    if not (folder / "keys.json").exists():
        if any(folder.glob("regions/*/data/keys")):
            raise WorldError(
                f"{folder / 'keys.json'} is missing, and the Regions' data is encrypted with its master key."
            )
        if config.regions[0] not in config.local:
            raise WorldError(
                f"A world on several hosts has the same keys everywhere: copy keys.json, ca.pem and ca-key.pem to "
                f"{folder} from the world's folder on {config.hosts[config.regions[0]]}, which makes them."
            )
        make_authority(folder)
        access_key_id, secret = given_key or make_access_key()
        write_private(
            folder / "keys.json",
            json.dumps(
                {
                    "sealing_key": base64.b64encode(random.token_bytes(KEY_BYTES)).decode(),
                    "master_key": (master or masterkey.fresh()).entry,
                    "access_key_id": access_key_id,
                    "secret_access_key": secret,
                }
            ),
        )
    key = None if master is None else master.key
    secrets = read_secrets(folder, key)
    save(config)
    if not secrets.authority.outlives(dt.datetime.now(dt.UTC)):
        make_authority(folder)
        secrets = read_secrets(folder, key)
    write_private(
        folder / "credentials",
        "[default]\n"
        f"aws_access_key_id = {secrets.root_access_key_id}\n"
        f"aws_secret_access_key = {secrets.root_secret_access_key}\n",
    )
    settings = f"[default]\nregion = {config.regions[0]}\nca_bundle = {folder / 'ca.pem'}\n"
    write_private(folder / "config", settings)
    return secrets


def make_authority(folder: Path) -> None:
    """A new authority for the world, in place of one that ends too soon."""
    authority = Authority.create(folder.name, dt.datetime.now(dt.UTC))
    write_private(folder / "ca-key.pem", authority.pair.key_pem)
    write_private(folder / "ca.pem", authority.pair.certificate_pem)


def read_keys(folder: Path) -> dict[str, Any] | None:
    """What `keys.json` holds, None when there is none; raises WorldError."""
    path = folder / "keys.json"
    try:
        check_private(path)
        keys = json.loads(path.read_text())
        if not isinstance(keys, dict):
            raise ValueError("it is no JSON object")
        return keys
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WorldError(f"The keys in {folder} cannot be read: {error}.") from error


def read_secrets(folder: Path, master: bytes | None = None) -> Secrets:
    """The secrets of the world in `folder`, given its master key when it is not there; raises WorldError."""
    keys = read_keys(folder)
    with clear(folder):
        if keys is None:
            raise FileNotFoundError(f"there is no {folder / 'keys.json'}")
        check_private(folder / "ca-key.pem")
        return Secrets(
            authority=Authority(Pair((folder / "ca.pem").read_text(), (folder / "ca-key.pem").read_text())),
            sealing_key=masterkey.key_bytes(keys["sealing_key"], "sealing_key"),
            master_key=masterkey.key_of(keys["master_key"], master),
            root_access_key_id=keys["access_key_id"],
            root_secret_access_key=keys["secret_access_key"],
        )


def check_private(path: Path) -> None:
    """Raise WorldError when others than its owner may read or change the file; OSError when it is not there."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise WorldError(
            f"{path} is open to others (mode {mode:o}): make it private with chmod 600, then rotate its keys."
        )


@contextlib.contextmanager
def clear(folder: Path) -> Iterator[None]:
    """What is wrong with a world's keys, said in one line: raises WorldError."""
    try:
        yield
    except KeyError as error:
        raise WorldError(f"{folder / 'keys.json'} lacks {error}.") from error
    except (OSError, TypeError, ValueError) as error:
        raise WorldError(f"The keys in {folder} cannot be read: {error}.") from error
