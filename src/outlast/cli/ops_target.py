"""Where the operator's verbs go: a local world or AWS. The one place where the kit learns of the world."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from outlast.cli.say import say
from outlast.cloud.world import config as configuration
from outlast.cloud.world.config import WorldError
from outlast.cloud.world.control import is_running
from outlast.ops import deployment as deployments
from outlast.ops.clients import Clients, Kind
from outlast.ops.deployment import Deployment
from outlast.ops.load.run import Keys
from outlast.ops.names import NameServer
from outlast.ops.outcome import Exit, OpsError, Stopped, UsageError
from outlast.ops.signing import Credentials

TargetOption = Annotated[Literal["local", "aws"], typer.Option("--target", help="The local world, or AWS.")]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Folder of the world and of the deployment file.", envvar="OUTLAST_HOME", show_default=False
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="Profile of the AWS configuration, for --target aws.", show_default=False),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to go, and with whose credentials. `variables` are what a child process needs to go there too.

    `regions` are those of a local world; AWS has them all.
    """

    kind: Kind
    home: Path
    clients: Clients
    keys: Callable[[], Credentials]
    variables: dict[str, str]
    name_servers: tuple[NameServer, ...]
    https_port: int
    ca_path: str | None
    regions: tuple[str, ...] = ()
    """Of a local world: all its Regions."""

    def has(self, region: str) -> bool:
        """Whether the Region is there."""
        return not self.regions or region in self.regions

    @property
    def deployment_path(self) -> Path:
        """The deployment file."""
        return self.home / f"deployment-{self.kind}.json"

    def deployment(self) -> Deployment:
        """What is deployed there; raises UsageError, also for a file that leads elsewhere: everything that is asked at
        a local world's old port, or at another world, would look like an outage."""
        found = deployments.load(self.deployment_path)
        told = (found.https_port, set(found.name_servers)) if self.kind == "local" else ()
        if found.kind != self.kind or told not in ((), (self.https_port, set(self.name_servers))):
            raise UsageError(
                f"The deployment file {self.deployment_path} is of another world, or of this one at other ports: "
                "`outlast prepare` writes it anew."
            )
        return found


def open_target(kind: Kind, home: Path | None, profile: str | None) -> Target:
    """The target; raises UsageError that says what to do."""
    folder = folder_of(home)
    return _local(folder) if kind == "local" else _aws(folder, profile)


def folder_of(home: Path | None) -> Path:
    """The folder of the world and of the deployment file, absolute; raises UsageError when nothing says where it is."""
    try:
        return (home or configuration.default_folder()).absolute()
    except WorldError as error:
        raise UsageError(str(error)) from error


def _local(folder: Path) -> Target:
    from outlast.cloud.world.environment import environment

    try:
        config = configuration.load_config(folder)
        if config is None:
            raise UsageError(f"There is no world in {folder}; `outlast up` makes one.")
        variables = environment(config, config.regions[0])
    except WorldError as error:
        raise UsageError(str(error)) from error
    if config.local == config.regions and not is_running(config):
        raise OpsError(f"No world is running on {folder}; `outlast up` starts it.")
    session = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    ca_path = variables["AWS_CA_BUNDLE"]
    return Target(
        kind="local",
        home=folder,
        clients=Clients(session, "local", endpoint_url=config.front_url, ca_path=ca_path),
        keys=Keys(session),
        variables=variables,
        name_servers=tuple(NameServer(host, config.dns_port) for host in config.hosts.values()),
        https_port=config.port,
        ca_path=ca_path,
        regions=config.regions,
    )


def _aws(folder: Path, profile: str | None) -> Target:
    session = boto3.Session(profile_name=profile)
    if session.get_credentials() is None:
        raise OpsError("There are no AWS credentials: choose a profile (--profile), or set them in the environment.")
    clients = Clients(session, "aws", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"), read_timeout_s=10.0)
    variables = {"AWS_PROFILE": profile} if profile else {}
    return Target("aws", folder, clients, Keys(session), variables, (), 443, None)


@contextmanager
def one_line() -> Iterator[None]:
    """A failure is one line on standard error and its exit code, never a traceback; a signal to end is 128 and its."""
    try:
        yield
    except Stopped as stopped:
        say(f"outlast: {stopped}.")
        raise typer.Exit(128 + stopped.number) from None
    except OpsError as error:
        say(f"outlast: {error}")
        raise typer.Exit(int(error.exit)) from error
    except (ClientError, BotoCoreError) as error:
        say(f"outlast: {error}")
        raise typer.Exit(int(Exit.ERROR)) from error
    except OSError as error:  # a full disk, a folder that is not ours
        where = f"{error.filename}: " if error.filename else ""
        say(f"outlast: {where}{error.strerror or error}.")
        raise typer.Exit(int(Exit.ERROR)) from error
