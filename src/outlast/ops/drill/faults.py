"""Faults behind a small interface: a local world's and AWS's are both injected through FIS.

https://docs.aws.amazon.com/fis/latest/APIReference/API_StartExperiment.html
"""

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import again, error_code, may_pass
from outlast.ops.drill.file import FaultPlan
from outlast.ops.outcome import OpsError, UsageError

ACTION_OF: Final = "outlast:{kind}"
"""The action of a local world for each kind of fault."""
ENDED: Final = frozenset({"completed", "stopped", "failed", "cancelled"})
COMMON: Final = frozenset({"regions", "services", "operations", "duration"})
"""Parameters of every action that a drill's file has members of their own for."""
START_S: Final = 30.0
BEGUN: Final = frozenset({"running", "completed"})
"""An experiment runs once its fault has taken hold; one of a second may be over already."""
TAG: Final = "outlast:fault"
"""The tag that says in words what an experiment does."""
ROLE: Final = "outlast-faults"
ROLE_SPREAD_S: Final = 3.0
"""A new role is known in every Region after a moment."""
POLL_S: Final = 0.1
CLOCK_S: Final = 2.0
"""How far the clock of whoever answers may be behind ours."""


@dataclass(frozen=True, slots=True)
class Running:
    """A fault that was begun."""

    ident: str
    what: str


class Faults(Protocol):
    """Begins and ends faults."""

    def begin(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Begin it and return once it has taken hold. Raises OpsError."""
        ...

    def end(self, running: Running) -> None:
        """End it and return once its effect is gone; no error when it has ended by itself."""
        ...


class Traceable(Faults, Protocol):
    """Faults that are found again by what they do."""

    def under_way(self, what: str, since_s: float) -> list[Running]:
        """Those that do what the words say, were asked for at `since_s` or later, and have not ended."""
        ...


class FisFaults:
    """Faults as FIS experiments. `region` is where FIS is asked: not a Region that the fault may take down."""

    def __init__(self, client: Any, role_arn: Callable[[], str], sleep: Callable[[float], None] = time.sleep) -> None:
        """`role_arn` is asked when the first fault begins, and not again: the first one may be IAM's own.

        A fault that ends needs no role.
        """
        self._client = client
        self._role_arn = functools.cache(role_arn)
        self._sleep = sleep

    def check(self, fault: FaultPlan) -> None:
        """Raise UsageError for a parameter that the fault does not have, before anything is begun; a FIS that does not
        answer now is asked again when the fault begins."""
        try:
            told = again(lambda: self._client.get_action(id=ACTION_OF.format(kind=fault.kind)), sleep=self._sleep)
        except (ClientError, BotoCoreError):
            return
        known = set(told["action"].get("parameters", {})) - COMMON
        unknown = sorted(set(fault.parameters) - known)
        if unknown:
            has = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise UsageError(f"The fault {fault.kind} has no parameter {unknown[0]}; {has}.")

    def begin(self, fault: FaultPlan, regions: Sequence[str], duration_s: float) -> Running:
        """Make a template of one action and start it; waits until it runs."""
        what = f"{fault.kind} in {', '.join(regions)}"
        action = {
            "actionId": ACTION_OF.format(kind=fault.kind),
            "parameters": parameters_of(fault, regions, duration_s),
        }
        role_arn = self._role_arn()
        try:
            template = again(
                lambda: self._client.create_experiment_template(
                    clientToken=str(uuid.uuid4()),
                    description=f"Drill: {what}",
                    stopConditions=[{"source": "none"}],
                    actions={"fault": action},
                    roleArn=role_arn,
                ),
                sleep=self._sleep,
            )["experimentTemplate"]
            token = str(uuid.uuid4())
            experiment = again(
                lambda: self._client.start_experiment(
                    clientToken=token, experimentTemplateId=template["id"], tags={TAG: what}
                ),
                sleep=self._sleep,
            )["experiment"]
        except (ClientError, BotoCoreError) as error:
            raise OpsError(f"The fault {fault.kind} could not be begun: {error}") from error
        running = Running(str(experiment["id"]), what)
        self._until(running, BEGUN)
        return running

    def end(self, running: Running) -> None:
        """Stop the experiment and wait until it has ended."""
        try:
            again(lambda: self._client.stop_experiment(id=running.ident), sleep=self._sleep)
        except ClientError as error:
            if error_code(error) not in ("ValidationException", "ResourceNotFoundException"):
                raise OpsError(f"The fault {running.what} could not be ended: {error}") from error
            if error_code(error) == "ResourceNotFoundException":
                return  # the world that had it is gone
        self._until(running, ENDED)

    def under_way(self, what: str, since_s: float) -> list[Running]:
        """Those that do what the words say, were asked for at `since_s` or later, and have not ended."""
        found: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = again(functools.partial(self._client.list_experiments, **token), sleep=self._sleep)
            found += page["experiments"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        return [
            Running(str(each["id"]), what)
            for each in found
            if each.get("tags", {}).get(TAG) == what
            and each["creationTime"].timestamp() >= since_s - CLOCK_S
            and each["state"]["status"] not in ENDED
        ]

    def _until(self, running: Running, wanted: frozenset[str]) -> None:
        waited_s = 0.0
        while waited_s < START_S:
            experiment = again(lambda: self._client.get_experiment(id=running.ident), sleep=self._sleep)["experiment"]
            state = experiment["state"]
            if state["status"] in wanted:
                return
            if state["status"] in ENDED:
                raise OpsError(f"The fault {running.what} ended as {state['status']}: {state.get('reason', '')}")
            self._sleep(POLL_S)
            waited_s += POLL_S
        raise OpsError(f"The fault {running.what} did not come to be {' or '.join(sorted(wanted))}.")


def words_of(experiment: Mapping[str, Any], now_s: float) -> str:
    """One line for an experiment: what it does, its state, and since when; `experiment` as ListExperiments has it."""
    ident, status = str(experiment["id"]), str(experiment["state"]["status"])
    what = experiment.get("tags", {}).get(TAG, f"template {experiment['experimentTemplateId']}")
    age_s = max(0.0, now_s - experiment["creationTime"].timestamp())
    return f"{ident}  {status:<10}  {what}, asked for {age_s:.0f} s ago"


def ensure_role(iam: Any, sts: Any, sleep: Callable[[float], None] = time.sleep) -> str:
    """The role that FIS assumes, made when it is not there. Raises OpsError.

    While IAM's Region is lost, the role is taken to be there: FIS looks it up in its own Region's copy. `sts` is of
    a Region that is not lost.
    """
    try:
        return str(again(lambda: iam.get_role(RoleName=ROLE), sleep=sleep)["Role"]["Arn"])
    except (ClientError, BotoCoreError) as error:
        if may_pass(error):
            return f"arn:aws:iam::{_account(sts, sleep)}:role/{ROLE}"
        if error_code(error) not in ("NoSuchEntity", "NoSuchEntityException"):
            raise OpsError(f"The role {ROLE} cannot be looked up: {error}") from error
    statement = {"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    try:
        made = again(
            lambda: iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust, Description="Lets FIS run drills"),
            sleep=sleep,
        )
    except (ClientError, BotoCoreError) as error:
        raise OpsError(f"The role {ROLE} cannot be made: {error}") from error
    sleep(ROLE_SPREAD_S)
    return str(made["Role"]["Arn"])


def _account(sts: Any, sleep: Callable[[float], None]) -> str:
    try:
        return str(again(sts.get_caller_identity, sleep=sleep)["Account"])
    except (ClientError, BotoCoreError) as error:
        raise OpsError(f"Neither IAM nor STS answers: {error}") from error


def parameters_of(fault: FaultPlan, regions: Sequence[str], duration_s: float) -> dict[str, str]:
    """The action's parameters: all values are text, members of lists are separated by commas."""
    scope: Mapping[str, Sequence[str]] = {
        "regions": regions,
        "services": fault.services,
        "operations": fault.operations,
    }
    found = {name: ",".join(values) for name, values in scope.items() if values}
    found["duration"] = f"PT{max(1, round(duration_s))}S"
    return found | {name: _text(value) for name, value in fault.parameters.items()}


def _text(value: Any) -> str:
    """A parameter as FIS takes it: members of lists are separated by commas."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)
