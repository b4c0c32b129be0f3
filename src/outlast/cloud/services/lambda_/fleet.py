"""Execution environments: kept warm for the next event, launched when there is none, ended when idle.

A Region runs at most `MAX_WORKERS` environments, whatever the account's concurrency: one machine stands in for AWS's
many. Beyond that, events wait for an environment for a bounded time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from outlast.cloud.contract import Region
from outlast.cloud.runtime.environment import Outcome, Started
from outlast.cloud.runtime.frames import Invocation
from outlast.cloud.runtime.host import BadArchive, HostDown, Launch
from outlast.cloud.services.lambda_.errors import ServiceException, TooManyRequestsException
from outlast.cloud.services.lambda_.loglines import stream_name
from outlast.cloud.services.lambda_.model import Version
from outlast.cloud.services.lambda_.roles import Roles, Session
from outlast.cloud.services.lambda_.runtimes import layer_name
from outlast.cloud.services.lambda_.shipping import Stream

MAX_WORKERS: Final = 64
WAIT_S: Final = 10.0
IDLE_S: Final = 60.0
SWEEP_S: Final = 5.0
MARGIN_S: Final = 60.0
MIN_INIT_S: Final = 10.0
PATH: Final = "/usr/local/bin:/usr/bin:/bin:/opt/bin"


class Running(Protocol):
    """An environment, real or simulated."""

    alive: bool
    started: Started | None

    async def invoke(self, request: Invocation, event: bytes) -> Outcome: ...

    def end(self) -> None: ...


class Runs(Protocol):
    """What launches environments: `outlast.cloud.runtime.host.Host`, or its simulated twin."""

    async def warm(self) -> None: ...

    async def unpack(self, name: str, archive: Callable[[], bytes]) -> None: ...

    async def launch(self, launch: Launch) -> Any: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Worker:
    """An environment of one version. `init_ms` is set until its first event has been reported."""

    environment: Running
    key: str
    stream: Stream
    expires_s: float
    init_ms: float | None
    idle_since_s: float = 0.0


class Fleet:
    """The environments of one Region."""

    def __init__(self, region: Region, host: Runs, roles: Roles, archive: Callable[[str], bytes]) -> None:
        self._region = region
        self._host = host
        self._roles = roles
        self._archive = archive
        self._idle: dict[str, list[Worker]] = {}
        self._count = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """How many environments there are."""
        return self._count

    async def prepare(self, version: Version) -> None:
        """Have the template warm and the code unpacked; raises ServiceException."""
        try:
            await self._host.warm()
            await self._host.unpack(version.code_key, lambda: self._archive(version.code_key))
        except (HostDown, BadArchive, OSError) as error:
            raise ServiceException(f"The function cannot be run: {error}") from error

    async def take(self, version: Version) -> Worker:
        """An environment for one event; raises TooManyRequestsException, ServiceException, LambdaAccessDenied."""
        key = version.execution_key
        deadline_s = self._region.clock.monotonic_s() + WAIT_S
        while True:
            worker = self._reuse(key, version.timeout_s)
            if worker is not None:
                return worker
            if self._count < MAX_WORKERS or self._evict():
                return await self._launch(version)
            await self._wait(deadline_s)

    def _reuse(self, key: str, timeout_s: float) -> Worker | None:
        idle = self._idle.get(key)
        now_s = self._region.clock.now_s()
        while idle:
            worker = idle.pop()
            if worker.environment.alive and worker.expires_s - now_s > timeout_s + MARGIN_S:
                return worker
            self._end(worker)
        return None

    def _evict(self) -> bool:
        """End the environment that has been idle longest; False when none is idle."""
        oldest: Worker | None = None
        for idle in self._idle.values():
            if idle and (oldest is None or idle[0].idle_since_s < oldest.idle_since_s):
                oldest = idle[0]
        if oldest is None:
            return False
        self._idle[oldest.key].remove(oldest)
        self._end(oldest)
        return True

    async def _wait(self, deadline_s: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(max(0.0, deadline_s - self._region.clock.monotonic_s())):
                await waiter
        except TimeoutError:
            raise TooManyRequestsException.account() from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _launch(self, version: Version) -> Worker:
        self._count += 1
        try:
            session = await self._roles.session(version.role, version.name)
            now_ms = self._region.clock.now_ms()
            own = not version.log_group
            suffix = self._region.entropy.hex(32)
            name = stream_name(now_ms, version.name, version.number, suffix, own_group=own)
            stream = Stream(version.group, name, session.principal)
            await self._host.unpack(version.code_key, lambda: self._archive(version.code_key))
            environment = await self._host.launch(self._recipe(version, session, name))
        except (HostDown, BadArchive, OSError) as error:
            self._lose()
            raise ServiceException(f"The function cannot be run: {error}") from error
        except BaseException:
            self._lose()
            raise
        started: Started = environment.started
        return Worker(environment, version.execution_key, stream, session.expires_s, started.init_ms)

    def _recipe(self, version: Version, session: Session, stream: str) -> Launch:
        layers = tuple(layer_name(each, self._region.name) for each in version.layers)
        canary = "synthetics" in layers
        return Launch(
            code=version.code_key,
            handler=version.handler,
            memory_mb=version.memory_mb,
            storage_mb=version.storage_mb,
            variables={**version.variables, **fixed_variables(self._region, version, stream), **session.variables()},
            kind="canary" if canary else "function",
            layers=tuple(layer for layer in layers if layer != "synthetics"),
            init_timeout_s=max(MIN_INIT_S, float(version.timeout_s)),
        )

    def give_back(self, worker: Worker, *, current: bool) -> None:
        """Keep the environment for the next event, or end it when it is dead or its version is no longer `current`."""
        if not worker.environment.alive or not current:
            self._end(worker)
            return
        worker.idle_since_s = self._region.clock.monotonic_s()
        self._idle.setdefault(worker.key, []).append(worker)
        self._wake()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def _end(self, worker: Worker) -> None:
        worker.environment.end()
        self._lose()

    def _lose(self) -> None:
        self._count -= 1
        self._wake()

    def retire(self, keys: Iterable[str]) -> None:
        """End the idle environments of these versions."""
        for key in keys:
            for worker in self._idle.pop(key, ()):
                self._end(worker)

    async def _sweep(self) -> None:
        """End what has been idle for long; ends itself when nothing is idle."""
        while any(self._idle.values()):
            await self._region.clock.sleep(SWEEP_S)
            limit_s = self._region.clock.monotonic_s() - IDLE_S
            for key, idle in list(self._idle.items()):
                self._idle[key] = [worker for worker in idle if worker.idle_since_s > limit_s]
                for worker in idle:
                    if worker.idle_since_s <= limit_s:
                        self._end(worker)
                if not self._idle[key]:
                    del self._idle[key]
        self._sweeper = None

    async def close(self) -> None:
        """End everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._host.close()


def fixed_variables(region: Region, version: Version, stream: str) -> dict[str, str]:
    """The variables that Lambda sets, those that name the world included.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return {
        "_HANDLER": version.handler,
        "AWS_REGION": region.name,
        "AWS_DEFAULT_REGION": region.name,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.number,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": version.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_ENDPOINT_URL": region.addresses.url(region.name),
        "AWS_CA_BUNDLE": region.addresses.ca_path,
        "SSL_CERT_FILE": region.addresses.ca_path,
        "AWS_EC2_METADATA_DISABLED": "true",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": PATH,
    }
