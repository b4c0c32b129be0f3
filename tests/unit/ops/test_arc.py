"""The switch: any endpoint of the five will do, a safety rule's refusal is final."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from outlast.ops.act.arc import Switchboard, Try
from outlast.ops.clients import Clients
from outlast.ops.outcome import OpsError, RefusedError, UncertainError
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment

DEPLOYMENT = sample_deployment()


class Endpoint:
    """One endpoint; all share `states`."""

    def __init__(self, states: dict[str, str], error: Exception | None) -> None:
        self.states = states
        self.error = error
        self.calls: list[dict[str, Any]] = []

    def get_routing_control_state(self, **parameters: Any) -> dict[str, Any]:
        self.calls.append(parameters)
        if self.error:
            raise self.error
        return {"RoutingControlState": self.states.get(parameters["RoutingControlArn"], "Off")}

    def update_routing_control_states(self, **parameters: Any) -> dict[str, Any]:
        self.calls.append(parameters)
        if self.error:
            raise self.error
        for entry in parameters["UpdateRoutingControlStateEntries"]:
            self.states[entry["RoutingControlArn"]] = entry["RoutingControlState"]
        return {}


def board(errors: dict[str, Exception]) -> tuple[Switchboard, list[Try], FakeClients]:
    states: dict[str, str] = {}
    clients = FakeClients(lambda service, region, url: Endpoint(states, errors.get(region)))
    tries: list[Try] = []
    switch = Switchboard(
        cast(Clients, clients), DEPLOYMENT, tries.append, shuffle=lambda endpoints: None, sleep=lambda _: None
    )
    return switch, tries, clients


def test_states_are_set_at_once_and_read_back() -> None:
    switch, tries, clients = board({})
    assert switch.states() == {"us-east-1": False, "us-west-2": False}
    switch.set({"us-east-1": False, "us-west-2": True})
    assert switch.states() == {"us-east-1": False, "us-west-2": True}
    (update,) = [t for t in tries if t.operation == "UpdateRoutingControlStates"]
    assert update.error == ""
    assert {key[0] for key in clients.made} == {"route53-recovery-cluster"}


def test_dead_endpoints_are_passed_over() -> None:
    dead = {f"region-{number}": fault("InternalServerException", status=500) for number in range(4)}
    switch, tries, _ = board(dict(dead))
    switch.set({"us-west-2": True})
    assert [t.error for t in tries] == ["InternalServerException"] * 4 + [""]


def test_without_any_endpoint_the_operator_is_told() -> None:
    dead = {f"region-{number}": fault("EndpointTemporarilyUnavailableException", status=503) for number in range(5)}
    switch, tries, _ = board(dict(dead))
    with pytest.raises(OpsError, match="no endpoint"):
        switch.states()
    assert len(tries) == 15


def test_a_safety_rule_is_final_and_can_be_overridden() -> None:
    switch, tries, clients = board({"region-0": fault("ConflictException", "rule never-both-off")})
    with pytest.raises(RefusedError, match="never-both-off"):
        switch.set({"us-east-1": False, "us-west-2": False}, override=["arn:rule"])
    assert len(tries) == 1
    (call,) = clients.made["route53-recovery-cluster", "region-0", "https://cluster-0"].calls
    assert call["SafetyRulesToOverride"] == ["arn:rule"]


def test_what_no_other_endpoint_would_change_is_not_tried_again() -> None:
    switch, tries, _ = board({"region-0": fault("AccessDeniedException")})
    with pytest.raises(OpsError, match="refused"):
        switch.states()
    assert len(tries) == 1


@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestExpired", "UnrecognizedClientException"])
def test_an_endpoint_whose_clock_is_wrong_is_passed_over(code: str) -> None:
    """The Region that is left may be left for its clock: its endpoint believes nobody's signature."""
    switch, tries, _ = board({f"region-{number}": fault(code, "Signature expired") for number in range(4)})
    switch.set({"us-west-2": True})
    assert [t.error for t in tries] == [code] * 4 + [""]


def test_whom_every_endpoint_refuses_is_told_at_once() -> None:
    strange = fault("InvalidSignatureException", "Signature expired: by an hour")
    switch, tries, _ = board({f"region-{number}": strange for number in range(5)})
    with pytest.raises(OpsError, match="was refused by every endpoint: Signature expired: by an hour") as refused:
        switch.set({"us-west-2": True})
    assert not isinstance(refused.value, UncertainError)
    assert len(tries) == 5


def test_endpoints_are_tried_in_random_order() -> None:
    firsts = set()
    for _ in range(60):
        tries: list[Try] = []
        clients = FakeClients(lambda service, region, url: Endpoint({}, None))
        Switchboard(cast(Clients, clients), DEPLOYMENT, tries.append).states()
        firsts.add(tries[0].region)
    assert len(firsts) == 5


@pytest.mark.parametrize("done", [True, False])
def test_a_refusal_after_a_try_that_may_have_worked_is_judged_by_what_stands(done: bool) -> None:
    """The first endpoint sets the controls and answers too late; the next one refuses by the rule's wait period."""
    states: dict[str, str] = {}
    late, conflict = fault("ServiceUnavailable", status=503), fault("ConflictException", "its wait period is not over")

    class Late(Endpoint):
        def update_routing_control_states(self, **parameters: Any) -> dict[str, Any]:
            if done:
                super().update_routing_control_states(**parameters)
            raise late

    class Waiting(Endpoint):
        def update_routing_control_states(self, **parameters: Any) -> dict[str, Any]:
            raise conflict

    first = DEPLOYMENT.arc.endpoints[0].region
    clients = FakeClients(lambda service, region, url: (Late if region == first else Waiting)(states, None))
    switch = Switchboard(cast(Clients, clients), DEPLOYMENT, shuffle=lambda _: None, sleep=lambda _: None)
    wanted = {"us-east-1": False, "us-west-2": True}
    if done:
        switch.set(wanted)
        assert switch.states() == wanted
    else:
        with pytest.raises(RefusedError, match="wait period"):
            switch.set(wanted)


class Silent(Endpoint):
    """Takes changes, makes them, and never says so; reads are answered while `tells`."""

    tells = True

    def update_routing_control_states(self, **parameters: Any) -> dict[str, Any]:
        super().update_routing_control_states(**parameters)
        raise ReadTimeoutError(endpoint_url="https://cluster")

    def get_routing_control_state(self, **parameters: Any) -> dict[str, Any]:
        if not self.tells:
            raise ReadTimeoutError(endpoint_url="https://cluster")
        return super().get_routing_control_state(**parameters)


def silent(kind: type[Endpoint]) -> Switchboard:
    states: dict[str, str] = {}
    clients = FakeClients(lambda service, region, url: kind(states, None))
    return Switchboard(cast(Clients, clients), DEPLOYMENT, sleep=lambda _: None)


def test_a_change_whose_every_answer_was_lost_is_found_by_looking() -> None:
    switch = silent(Silent)
    switch.set({"us-east-1": False, "us-west-2": True})
    assert switch.states() == {"us-east-1": False, "us-west-2": True}


def test_a_change_that_nobody_can_tell_of_is_called_neither_made_nor_not_made() -> None:
    class Mute(Silent):
        tells = False

    with pytest.raises(UncertainError, match="may have done it all the same"):
        silent(Mute).set({"us-east-1": False})


def test_a_change_that_is_not_seen_yet_may_still_come() -> None:
    class Slow(Silent):
        def update_routing_control_states(self, **parameters: Any) -> dict[str, Any]:
            raise ReadTimeoutError(endpoint_url="https://cluster")

    with pytest.raises(UncertainError, match="or do it yet"):
        silent(Slow).set({"us-east-1": True})


def test_endpoints_that_were_not_reached_have_done_nothing() -> None:
    gone = {f"region-{number}": ConnectTimeoutError(endpoint_url="https://cluster") for number in range(5)}
    switch, tries, _ = board(dict(gone))
    with pytest.raises(OpsError, match="no endpoint") as refused:
        switch.set({"us-east-1": False})
    assert not isinstance(refused.value, UncertainError)
    assert {each.operation for each in tries} == {"UpdateRoutingControlStates"}, "nobody is asked what cannot have come"
