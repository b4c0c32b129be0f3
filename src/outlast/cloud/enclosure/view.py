"""What an enclosed program shall see, and the files that make it see that."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RESOLVER: Final = "/etc/resolv.conf"
SWITCH: Final = "/etc/nsswitch.conf"
BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where the distributions keep the certificates that programs trust: Debian, Red Hat, SUSE, Alpine."""
NAME_CACHES: Final = ("/run/nscd",)
"""Daemons that would answer for names without asking the resolver's servers."""
MOST_SERVERS: Final = 3
HOSTS_LINE: Final = re.compile(r"^hosts:.*$", re.MULTILINE)
NAMESERVER: Final = re.compile(r"^\s*nameserver\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class View:
    """What a program shall see.

    `servers` answer for names on port 53; `authority` is the PEM file of an authority to trust besides the usual.
    `folder` is where the files are made, private to the user; it and its parent are made if they are not there.
    `alone` leaves the machine's own name servers out. `hidden` are folders that shall look empty, `kept` the files and
    folders that shall still be seen below them.
    """

    servers: tuple[str, ...]
    authority: str
    folder: str
    alone: bool = False
    hidden: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def bundle(self) -> str:
        """The file with every certificate that the program shall trust."""
        return f"{self.folder}/ca-bundle.pem"

    def variables(self) -> dict[str, str]:
        """The variables by which libraries that do not look at the system's bundle are told of it."""
        names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
        return {**dict.fromkeys(names, self.bundle), "NODE_EXTRA_CA_CERTS": self.authority}


def write_files(view: View) -> list[tuple[str, str]]:
    """Make the files; return (file, what it shall be seen as) for each. Raises OSError."""
    folder = Path(view.folder)
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)
    seen: list[tuple[str, str]] = []
    _put(folder / "resolv.conf", resolver_text(view, _read(RESOLVER)))
    seen.append((f"{folder}/resolv.conf", RESOLVER))
    switch = _read(SWITCH)
    if switch:
        _put(folder / "nsswitch.conf", switch_text(switch))
        seen.append((f"{folder}/nsswitch.conf", SWITCH))
    present = [path for path in BUNDLES if os.path.exists(path)]
    trusted = _read(present[0]) if present else ""
    _put(folder / "ca-bundle.pem", f"{trusted.rstrip()}\n{Path(view.authority).read_text()}".lstrip())
    seen += [(view.bundle, path) for path in dict.fromkeys(os.path.realpath(path) for path in present)]
    return seen


def resolver_text(view: View, machines: str) -> str:
    """A resolv.conf: the world's servers, then (unless alone) one of the machine's; other lines stay as they are."""
    servers = list(view.servers[: MOST_SERVERS if view.alone else MOST_SERVERS - 1])
    if not view.alone:
        servers += [each for each in NAMESERVER.findall(machines) if each not in servers]
    lines = [f"nameserver {each}" for each in servers[:MOST_SERVERS]]
    rest = [] if view.alone else [line for line in machines.splitlines() if line.startswith(("search", "domain"))]
    return "\n".join([*lines, *rest, "options timeout:2 attempts:2"]) + "\n"


def switch_text(machines: str) -> str:
    """An nsswitch.conf whose names come from /etc/hosts and from name servers, nowhere else."""
    if HOSTS_LINE.search(machines):
        return HOSTS_LINE.sub("hosts: files dns", machines)
    return machines.rstrip() + "\nhosts: files dns\n"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="surrogateescape")
    except OSError:
        return ""


def _put(path: Path, text: str) -> None:
    """Replace the file, unless it says that already: programs that run may have it mounted."""
    data = text.encode(errors="surrogateescape")
    if path.exists() and path.read_bytes() == data:
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.rename(path)
