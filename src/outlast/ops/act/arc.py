"""Routing controls through a cluster's five endpoints: data plane only, tried in random order until one answers.

https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.update.html and best practices on the same site:
keep the endpoints at hand, try another when one fails, do not ask the control plane.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.clients import DENIED, STRANGER, Clients, error_code
from outlast.ops.deployment import ClusterEndpoint, Deployment
from outlast.ops.outcome import OpsError, RefusedError, UncertainError

Result = TypeVar("Result")

ROUNDS: Final = 3
PAUSE_S: Final = 0.5
FINAL: Final = frozenset({*DENIED, "ResourceNotFoundException", "ServiceLimitExceededException", "ValidationException"})
"""Answers that no other endpoint would change."""
UNHEARD: Final = frozenset(
    {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "ThrottlingException"}
)
"""Failures after which nothing was done: the endpoint was not reached, or took nothing up."""
STALE: Final = (
    " The deployment file may be of an older cluster: `outlast prepare` writes it anew; if that cannot be reached, "
    "`--switch weighted-records` moves customers without the cluster."
)
ELSE: Final = (
    " What is left: the same command again, in case an endpoint comes back; `--switch weighted-records`, while Route "
    "53's control plane answers; `outlast prepare`, if the file's endpoints are old ones."
)
PERHAPS: Final = (
    " An endpoint that did not answer in time may have done it all the same, or do it yet: `outlast status` tells."
)


@dataclass(frozen=True, slots=True)
class Try:
    """One call to one endpoint; `error` is empty when it worked."""

    operation: str
    endpoint: str
    region: str
    error: str


class Switchboard:
    """Reads and sets the routing controls of a deployment. `note` hears of every try."""

    def __init__(
        self,
        clients: Clients,
        deployment: Deployment,
        note: Callable[[Try], None] = lambda _: None,
        *,
        shuffle: Callable[[list[ClusterEndpoint]], None] = random.shuffle,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._deployment = deployment
        self._note = note
        self._shuffle = shuffle
        self._sleep = sleep
        self._unanswered = 0
        """Calls that an endpoint did not answer, or not in time: what it was asked to do may have been done."""

    def states(self) -> dict[str, bool]:
        """Whether each Region's routing control is on. Raises OpsError when no endpoint answers."""
        return {part.name: self._state(part.routing_control_arn) == "On" for part in self._deployment.regions}

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
        """Set the controls of these Regions, all or none. Safe to repeat.

        An endpoint that did not answer in time may have set them; when no other one does, or a rule's wait period then
        refuses the next try, what stands decides. Raises RefusedError when a safety rule stands against it (`override`
        names rules to break), UncertainError when nobody tells whether they were set, OpsError when they were not.
        """
        entries = [
            {
                "RoutingControlArn": self._deployment.region(region).routing_control_arn,
                "RoutingControlState": "On" if on else "Off",
            }
            for region, on in wanted.items()
        ]
        arguments: dict[str, Any] = {"UpdateRoutingControlStateEntries": entries}
        if override:
            arguments["SafetyRulesToOverride"] = list(override)
        before = self._unanswered
        try:
            self._turn("UpdateRoutingControlStates", lambda client: client.update_routing_control_states(**arguments))
        except OpsError as error:
            if self._unanswered == before:
                raise
            if self._stands(wanted):
                return
            if isinstance(error, RefusedError):
                raise
            raise UncertainError(f"{error}{PERHAPS}") from error

    def _stands(self, wanted: Mapping[str, bool]) -> bool:
        try:
            states = self.states()
        except OpsError:
            return False
        return all(states.get(region) == on for region, on in wanted.items())

    def _state(self, arn: str) -> str:
        answer = self._turn(
            "GetRoutingControlState", lambda client: client.get_routing_control_state(RoutingControlArn=arn)
        )
        return str(answer["RoutingControlState"])

    def _turn(self, operation: str, call: Callable[[Any], Result]) -> Result:
        errors: list[str] = []
        for round_number in range(ROUNDS):
            if round_number:
                self._sleep(PAUSE_S)
            endpoints = list(self._deployment.arc.endpoints)
            self._shuffle(endpoints)
            strangers = 0  # one alone may have a clock that is wrong, or not know yet whose keys these are
            for endpoint in endpoints:
                client = self._clients.of("route53-recovery-cluster", endpoint.region, endpoint.url)
                try:
                    answer = call(client)
                except (ClientError, BotoCoreError) as error:
                    code = error_code(error)
                    self._note(Try(operation, endpoint.url, endpoint.region, code))
                    errors.append(f"{endpoint.region}: {code}")
                    if code == "ConflictException":
                        raise RefusedError(f"A safety rule refuses it: {_message(error)}") from error
                    if code in FINAL:
                        hint = STALE if code == "ResourceNotFoundException" else ""
                        raise OpsError(f"{operation} was refused: {_message(error)}{hint}") from error
                    self._unanswered += code not in UNHEARD | STRANGER
                    strangers += code in STRANGER
                    if strangers == len(endpoints):
                        raise OpsError(f"{operation} was refused by every endpoint: {_message(error)}") from error
                    continue
                self._note(Try(operation, endpoint.url, endpoint.region, ""))
                return answer
        asked = len(self._deployment.arc.endpoints)
        raise OpsError(f"{operation}: no endpoint of the cluster could do it ({'; '.join(errors[-asked:])}).{ELSE}")


def _message(error: BaseException) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message", error))
    return str(error)
