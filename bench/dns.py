"""`python -m bench.dns`: DNS answers a second, and what one costs, beside a well-known server and bare sockets.

The same zone of 100 names, the same load from the same sockets, one after the other in one run: this cloud's server on
uvloop, Knot DNS and NSD when they are installed (or in $KNOT and $NSD), a bare UDP echo on uvloop (the limit of the
stack below), and the same answers made by dnspython. CPU per answer is the server process's own; it is the figure to
compare, because load and server share the machine. This cloud's server is also asked in letters of random case (0x20),
for names that do not exist, and for weighted answers; `--floor` fails the run below so many answers a CPU second.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset

from outlast.cloud.contract import ActiveFaults
from outlast.cloud.contract.names import WorldMap
from outlast.cloud.effects import RealClock, RealEntropy
from outlast.cloud.gateway.dns import DnsLimits, DnsServer
from outlast.cloud.services.route53.changes import apply
from outlast.cloud.services.route53.cloudnames import CloudNames
from outlast.cloud.services.route53.dataplane import DataPlane
from outlast.cloud.services.route53.dnsnames import wire
from outlast.cloud.services.route53.model import NameServer, Zone, first_records

HOST = "127.0.0.1"
NAMES = 100
SOCKETS = 4
WINDOW = 32
"""Questions under way on each socket."""
SETTLE_S = 0.5
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server did: answers a second, microseconds of its CPU for each, questions lost."""

    name: str
    per_s: float
    cpu_us: float
    lost: int


def data_plane() -> DataPlane:
    """A zone of 100 names, as Route 53's data plane serves it."""
    name = wire("bench.example")
    servers = tuple(NameServer(f"ns-{n}.awsdns-00.{domain}", "us-east-1") for n, domain in enumerate(("com", "net")))
    zone = Zone("Z1", name, "bench", servers, 0, first_records(name, servers))
    records = [
        {
            "Name": f"n{n}.bench.example",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": f"192.0.2.{n}"}],
        }
        for n in range(NAMES)
    ]
    records += [
        {
            "Name": f"w{n}.bench.example",
            "Type": "A",
            "TTL": 60,
            "SetIdentifier": f"{weight}",
            "Weight": weight,
            "ResourceRecords": [{"Value": f"192.0.2.{weight}"}],
        }
        for n in range(NAMES)
        for weight in (1, 9)
    ]
    zone = apply(zone, [{"Action": "CREATE", "ResourceRecordSet": record} for record in records], ())
    plane = DataPlane(
        CloudNames({"us-east-1": HOST}, "us-east-1"),
        WorldMap(),
        ActiveFaults(),
        healthy=lambda _id: True,
        uniform=RealEntropy().uniform,
        now_ms=RealClock().now_ms,
    )
    plane.put(zone)
    return plane


def questions() -> list[bytes]:
    """The load that every server gets."""
    return [_question(f"n{n}.bench.example") for n in range(NAMES)]


def _question(name: str) -> bytes:
    return dns.message.make_query(name, "A", use_edns=0).to_wire()


def mixed_case() -> list[bytes]:
    """The same names, each time in letters of another case, as resolvers that guard against forged answers ask."""
    dice = random.Random(1)
    return [
        _question("".join(dice.choice((c.lower(), c.upper())) for c in f"n{n % NAMES}.bench.example"))
        for n in range(20_000)
    ]


def missing() -> list[bytes]:
    """Names that do not exist, each asked once."""
    return [_question(f"x{n}.bench.example") for n in range(100_000)]


def weighted() -> list[bytes]:
    """Names whose answer is drawn for each query."""
    return [_question(f"w{n}.bench.example") for n in range(NAMES)]


# ---- servers, each in a process of its own


async def _serve_outlast(port: int) -> None:
    limits = DnsLimits(lookup_share=1e9)  # every name is looked up, however many are new
    server = DnsServer(data_plane(), clock=RealClock(), entropy=RealEntropy(), limits=limits)
    await server.start(HOST, port)
    await asyncio.Event().wait()


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.send = transport.sendto

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.send(data, addr)


class _Dnspython(_Echo):
    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        name = query.question[0].name
        reply.flags |= dns.flags.AA
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", f"192.0.2.{name.labels[0][1:].decode()}"))
        self.send(reply.to_wire(), addr)


async def _serve_datagrams(port: int, protocol: type[_Echo]) -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(protocol, local_addr=(HOST, port))
    await asyncio.Event().wait()


def _run(serve: Callable[..., Any], *arguments: Any) -> None:
    import uvloop

    uvloop.run(serve(*arguments))


@contextmanager
def _process(serve: Callable[..., Any], *arguments: Any) -> Iterator[tuple[int, int]]:
    port = _free_port()
    process = multiprocessing.Process(target=_run, args=(serve, port, *arguments), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.join()


def installed(name: str) -> str | None:
    """A well-known server, when it is here: by the variable with its name in capitals, else by the usual paths."""
    folders = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return os.environ.get({"knotd": "KNOT"}.get(name, name.upper())) or shutil.which(name, path=folders)


def _zone_file() -> str:
    lines = ["$ORIGIN bench.example.", "@ 900 IN SOA ns hostmaster 1 7200 900 1209600 86400", "@ 900 IN NS ns"]
    lines += ["ns 60 IN A 127.0.0.1", *(f"n{n} 60 IN A 192.0.2.{n}" for n in range(NAMES))]
    return "\n".join(lines) + "\n"


@contextmanager
def _nsd(binary: str) -> Iterator[tuple[int, int]]:
    def config(folder: Path, port: int) -> str:
        return (
            f'server:\n ip-address: {HOST}@{port}\n server-count: 1\n username: ""\n database: ""\n'
            f" pidfile: {folder}/pid\n xfrdfile: {folder}/xfrd\n zonelistfile: {folder}/list\n xfrdir: {folder}\n"
            f" zonesdir: {folder}\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
            "zone:\n name: bench.example\n zonefile: zone\n"
        )

    with _peer(config, lambda path: [binary, "-d", "-c", path]) as found:
        yield found


@contextmanager
def _knot(binary: str) -> Iterator[tuple[int, int]]:
    def config(folder: Path, port: int) -> str:
        return (
            f"server:\n  listen: {HOST}@{port}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f"  rundir: {folder}\n  pidfile: {folder}/pid\ncontrol:\n  listen: {folder}/control\n"
            f"database:\n  storage: {folder}/db\ntemplate:\n  - id: default\n    storage: {folder}\n"
            "    zonefile-sync: -1\n    journal-content: none\nzone:\n  - domain: bench.example\n    file: zone\n"
        )

    with _peer(config, lambda path: [binary, "-c", path]) as found:
        yield found


@contextmanager
def _peer(config: Callable[[Path, int], str], command: Callable[[str], list[str]]) -> Iterator[tuple[int, int]]:
    """Another server on the same zone, with one worker."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "zone").write_text(_zone_file())
        (folder / "config").write_text(config(folder, port))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command(str(folder / "config")), **quiet)
        try:
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


# ---- load


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process and all below it have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / TICKS
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(child)) for child in children)


def load(port: int, seconds: float, wires: Sequence[bytes]) -> tuple[int, int, float]:
    """Keep a window of questions under way on each socket: answers, losses, elapsed seconds."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for each in sockets:
        each.connect((HOST, port))
        each.settimeout(0.2)
    answered = lost = at = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for each in sockets:
            for _ in range(WINDOW):
                each.send(wires[at % len(wires)])
                at += 1
        for each in sockets:
            for got in range(WINDOW):
                try:
                    each.recv(2048)
                except TimeoutError:
                    lost += WINDOW - got
                    break
                answered += 1
    elapsed = time.perf_counter() - began
    for each in sockets:
        each.close()
    return answered, lost, elapsed


def _wait(port: int) -> None:
    wires = questions()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((HOST, port))
        client.settimeout(0.2)
        for _ in range(50):
            try:
                client.send(wires[0])
                client.recv(2048)
                return
            except OSError:
                time.sleep(0.05)
    raise SystemExit("a server did not answer within its time")


def measure(name: str, server: Any, seconds: float, wires: Sequence[bytes]) -> Figures:
    """Start one server, warm it, load it."""
    with server as (port, pid):
        _wait(port)
        load(port, SETTLE_S, questions())
        before = cpu_s(pid)
        answered, lost, elapsed = load(port, seconds, wires)
        return Figures(name, answered / elapsed, (cpu_s(pid) - before) / max(answered, 1) * 1e6, lost)


def table(rows: Sequence[Figures]) -> str:
    """The figures, and ratios of CPU per answer to this cloud's."""
    ours = rows[0].cpu_us
    lines = ["| server | answers/s | CPU per answer | answers per CPU second | CPU, against Outlast | lost |"]
    lines.append("|---|---|---|---|---|---|")
    for row in rows:
        lines.append(
            f"| {row.name} | {row.per_s:,.0f} | {row.cpu_us:.1f} µs | {1e6 / row.cpu_us:,.0f} | "
            f"{row.cpu_us / ours:.2f} | {row.lost} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure all that are here."""
    parser = argparse.ArgumentParser(prog="python -m bench.dns", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--floor", type=float, default=0.0, help="fail below so many answers a CPU second")
    asked = parser.parse_args()
    same = questions()
    rows = [measure("Outlast", _process(_serve_outlast), asked.seconds, same)]
    for title, binary, serve in (("Knot DNS", "knotd", _knot), ("NSD", "nsd", _nsd)):
        found = installed(binary)
        if found is None:
            print(f"{title} is not here: left out", file=sys.stderr)
        else:
            rows.append(measure(title, serve(found), asked.seconds, same))
    rows.append(measure("UDP echo on uvloop", _process(_serve_datagrams, _Echo), asked.seconds, same))
    rows.append(measure("dnspython on uvloop", _process(_serve_datagrams, _Dnspython), asked.seconds, same))
    for title, wires in (("weighted", weighted()), ("mixed case", mixed_case()), ("missing names", missing())):
        rows.append(measure(f"Outlast, {title}", _process(_serve_outlast), asked.seconds, wires))
    print(table(rows))
    per_cpu_s = 1e6 / rows[0].cpu_us
    if per_cpu_s < asked.floor:
        print(f"{per_cpu_s:,.0f} answers a CPU second are fewer than {asked.floor:,.0f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
