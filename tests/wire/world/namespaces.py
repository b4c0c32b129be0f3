"""Hosts that tests make: network namespaces joined by one wire, each with its own loopback and address."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class Host:
    """One namespace. `command` goes before a program that is to run in it."""

    name: str
    address: str

    @property
    def command(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def ip(self, *words: str) -> None:
        ip("-n", self.name, *words)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let sockets of this thread be made in the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/var/run/netns/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(home, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(home)
            os.close(there)


def ip(*words: str) -> None:
    """Run `ip`; raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with a wire between them; skips the test where they may not be made."""
    if shutil.which("ip") is None:
        pytest.skip("hosts are made with `ip` (iproute2), which is not installed")
    number = os.getpid() % 65_000
    names = [f"outlast-{number}-{end}" for end in "ab"]
    network = f"10.{100 + number // 250 % 100}.{number % 250}"
    made: list[str] = []
    try:
        try:
            for name in names:
                ip("netns", "add", name)
                made.append(name)
            ip("link", "add", "wire", "netns", names[0], "type", "veth", "peer", "name", "wire", "netns", names[1])
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
        pair = Host(names[0], f"{network}.1"), Host(names[1], f"{network}.2")
        for host in pair:
            host.ip("addr", "add", f"{host.address}/24", "dev", "wire")
            host.ip("link", "set", "lo", "up")
            host.ip("link", "set", "wire", "up")
        yield pair
    finally:
        for name in made:
            ip("netns", "del", name)
