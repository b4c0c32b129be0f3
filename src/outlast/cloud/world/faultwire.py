"""Faults as messages between the supervisor and its Regions, and the shapes that they give to links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from outlast.cloud.contract import ActiveFault, FaultSpec
from outlast.cloud.effects.links import Shape
from outlast.cloud.world.channel import Channel, RemoteError
from outlast.cloud.world.config import Settings, direction

REPLICATION = "replication"


def write_fault(fault: ActiveFault) -> dict[str, Any]:
    """A fault as a JSON document."""
    return asdict(fault)


def read_spec(document: Mapping[str, Any]) -> FaultSpec:
    """The other end of `write_fault`, for its spec."""
    return FaultSpec(
        kind=document["kind"],
        regions=tuple(document["regions"]),
        services=tuple(document["services"]),
        operations=tuple(document["operations"]),
        duration_s=float(document["duration_s"]),
        parameters=document["parameters"],
    )


def read_fault(document: Mapping[str, Any]) -> ActiveFault:
    """The other end of `write_fault`."""
    return ActiveFault(**{**document, "spec": read_spec(document["spec"])})


class RemoteBoard:
    """The world's fault board as a Region reaches it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def start(self, spec: FaultSpec, started_by: str) -> ActiveFault:
        try:
            answer = await self._channel.ask("fault-start", {"spec": asdict(spec), "started_by": started_by}, 60.0)
        except RemoteError as error:
            raise ValueError(str(error)) from error
        return read_fault(answer)

    async def end(self, fault_id: str) -> ActiveFault:
        try:
            return read_fault(await self._channel.ask("fault-end", {"id": fault_id}, 60.0))
        except RemoteError as error:
            raise KeyError(fault_id) from error

    async def list(self) -> Sequence[ActiveFault]:
        return [read_fault(each) for each in await self._channel.ask("fault-list")]


def shapes_of(region: str, peers: Iterable[str], settings: Settings, faults: Sequence[ActiveFault]) -> dict[str, Shape]:
    """How each link that leaves `region` behaves under these faults."""
    return {peer: _shape(region, peer, settings, faults) for peer in peers}


def _shape(region: str, peer: str, settings: Settings, faults: Sequence[ActiveFault]) -> Shape:
    link = direction(region, peer)
    low, high = settings.link_delays_ms.get(link, settings.link_delay_ms)
    replication = settings.replication_delays_ms.get(link, settings.replication_delay_ms)
    loss, cut = 0.0, False
    paused: frozenset[str] = frozenset()
    bandwidth = 0.0
    for fault in faults:
        spec = fault.spec
        one_way = spec.regions[:2] == (region, peer)
        isolated = spec.kind == "region-isolated" and (region in spec.regions or peer in spec.regions)
        if isolated or (spec.kind == "link-cut" and one_way):
            cut = True
        elif spec.kind == "replication-paused" and one_way:
            paused |= {REPLICATION}
        elif spec.kind == "link-slow" and one_way:
            delay, jitter = float(spec.parameters.get("delay_ms", 0)), float(spec.parameters.get("jitter_ms", 0))
            low, high = low + delay, high + delay + jitter
            loss = max(loss, float(spec.parameters.get("loss", 0)))
            bandwidth = float(spec.parameters.get("bytes_per_s", 0)) or bandwidth
    delays = {REPLICATION: replication} if replication[1] > 0 else {}
    return Shape((low, high), delays, loss, cut, bandwidth, paused)


def write_shape(shape: Shape) -> dict[str, Any]:
    """A shape as a JSON document."""
    return {**asdict(shape), "paused": sorted(shape.paused)}


def read_shape(document: Mapping[str, Any]) -> Shape:
    """The other end of `write_shape`."""
    return Shape(
        delay_ms=(document["delay_ms"][0], document["delay_ms"][1]),
        channel_delay_ms={name: (pair[0], pair[1]) for name, pair in document["channel_delay_ms"].items()},
        loss=document["loss"],
        cut=document["cut"],
        bytes_per_s=document["bytes_per_s"],
        paused=frozenset(document["paused"]),
    )
