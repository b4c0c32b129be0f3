"""`outlast exec`: any program, unmodified, at AWS's own names, with the world behind them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence

import typer

from outlast.cloud.enclosure import Unable, View, enter, probe
from outlast.cloud.enclosure.run import Isolated, become
from outlast.cloud.enclosure.ways import Way, ways_to
from outlast.cloud.runtime.cell import Cell, lack, rehearse
from outlast.cloud.world.config import WorldConfig, WorldError
from outlast.cloud.world.environment import environment, without_foreign

__all__ = ["bare_functions", "lack", "run"]

DNS_PORT, HTTPS_PORT = 53, 443
NO_PROXY = ".amazonaws.com,.api.aws,localhost,127.0.0.0/8"


def view_of(config: WorldConfig, region: str, *, alone: bool) -> View:
    """What the program sees: the chosen Region's name server first, then another's."""
    others = [host for name, host in config.hosts.items() if name != region]
    return View(
        servers=(config.hosts[region], *others),
        authority=str(config.path / "ca.pem"),
        folder=str(config.path / "exec" / ("isolated" if alone else region)),
        alone=alone,
    )


def ways_of(config: WorldConfig) -> list[Way]:
    """Every address that an isolated program may reach."""
    ways = [Way(config.front_host, config.port, config.port)]
    for host in config.hosts.values():
        ways += ways_to(host, config.port, config.dns_port)
    return ways


def variables(config: WorldConfig, region: str, view: View | None) -> dict[str, str]:
    """The program's environment; without a view it speaks to the front door instead of AWS's names."""
    environ = without_foreign(os.environ)
    environ.update(environment(config, region))
    if view is not None:
        environ.pop("AWS_ENDPOINT_URL")
        environ.update(view.variables())
    for name in ("NO_PROXY", "no_proxy"):
        environ[name] = ",".join(each for each in (environ.get(name, ""), NO_PROXY) if each)
    return environ


def obstacle(config: WorldConfig, view: View) -> str:
    """Why the program cannot have AWS's names here, and what to do by hand; empty when it can."""
    by_hand = f"the program gets AWS_ENDPOINT_URL={config.front_url} instead of AWS's names"
    if config.dns_port != DNS_PORT or config.https_port != HTTPS_PORT:
        return (
            f"ports 53 and 443 could not be bound, so {by_hand}; use --isolated, or allow them with "
            "`sysctl net.ipv4.ip_unprivileged_port_start=53` and start the world again"
        )
    reason = probe(lambda: enter(view))
    if reason:
        return (
            f"no namespace of its own is possible ({reason}), so {by_hand}; for the names put "
            f"`nameserver {view.servers[0]}` first in /etc/resolv.conf and trust {view.authority}"
        )
    return ""


def bare_functions() -> str:
    """Why functions and canaries cannot be enclosed on this system; empty when they are."""
    with tempfile.TemporaryDirectory(prefix="outlast-probe-") as folder:
        return probe(lambda: rehearse(Cell((), "", ()), folder))


def run(config: WorldConfig, region: str, command: Sequence[str], *, isolated: bool) -> int:
    """Run the program; returns only when it was isolated, or raises WorldError when it cannot be run."""
    view = view_of(config, region, alone=isolated)
    if isolated:
        try:
            return Isolated(view, ways_of(config)).run(command, variables(config, region, view))
        except Unable as unable:
            raise WorldError(f"A program cannot be isolated on this system: {unable}.") from unable
    problem = obstacle(config, view)
    if problem:
        typer.echo(f"outlast: {problem}.", err=True)
        _become(command, variables(config, region, None))
    try:
        enter(view)
    except Unable as unable:
        raise WorldError(f"The namespace could not be made: {unable}.") from unable
    _become(command, variables(config, region, view))
    return 0


def _become(command: Sequence[str], environ: Mapping[str, str]) -> None:
    try:
        become(command, environ)
    except OSError as error:
        raise WorldError(f"{command[0]} cannot be run: {error.strerror}.") from error
