"""Running experiments: one step of each, again and again, so that a restart goes on where it stopped."""

from __future__ import annotations

import asyncio

from outlast.cloud.contract import ActiveFault, Fault
from outlast.cloud.services.fis.model import seconds_of, spec_of
from outlast.cloud.services.fis.state import Document, Experiments

STEP_S = 0.25
ALARM_EVERY_S = 1.0
ROLE_PATIENCE_S = 5.0
MAX_REASON = 512
UNDER_WAY = frozenset({"initiating", "running"})
ACTION_ENDED = frozenset({"completed", "stopped", "failed", "cancelled", "skipped"})


async def run_for_ever(state: Experiments) -> None:
    """Step every experiment that has not ended; sleep while there is none."""
    clock, looked_s = state.region.clock, 0.0
    while True:
        if not state.running():
            state.wake.clear()
            await state.wake.wait()
        look = clock.monotonic_s() - looked_s >= ALARM_EVERY_S
        if look:
            looked_s = clock.monotonic_s()
        faults = {fault.id: fault for fault in await state.region.board.list()}
        for experiment in state.running():
            await step(state, experiment, faults, look)
        await state.region.engine.settled()
        await pause(state)


async def pause(state: Experiments) -> None:
    """Wait for the next step, or for a request that asks for one."""
    state.wake.clear()
    try:
        async with asyncio.timeout(STEP_S):
            await state.wake.wait()
    except TimeoutError:
        return


async def step(state: Experiments, experiment: Document, faults: dict[str, ActiveFault], look: bool) -> None:
    """Bring one experiment as far as it can go now."""
    if experiment["state"]["status"] == "pending":
        if not await take_role(state, experiment):
            return
        experiment["state"] = {"status": "initiating", "reason": "Experiment is initiating."}
        experiment["startTime"] = state.region.clock.now_s()
    if look and experiment["state"]["status"] == "running":
        alarm = await alarming(state, experiment)
        if alarm is not None:
            experiment["state"] = {"status": "stopping", "reason": f"The stop condition {alarm} was met."}
    actions = experiment["actions"]
    for action in actions.values():
        follow(state, action, faults)
    if experiment["state"]["status"] == "stopping":
        for action in actions.values():
            await stop_action(state, action)
        finish(state, experiment, "stopped", experiment["state"].get("reason", "Experiment stopped."))
        return
    for action in actions.values():
        if action["state"]["status"] == "pending" and ready(action, actions):
            await start_action(state, action, experiment)
    if experiment["state"]["status"] == "initiating":
        experiment["state"] = {"status": "running", "reason": "Experiment is running."}
    statuses = [action["state"]["status"] for action in actions.values()]
    if "failed" in statuses:
        for action in actions.values():
            await stop_action(state, action)
        reasons = [action["state"]["reason"] for action in actions.values() if action["state"]["status"] == "failed"]
        finish(state, experiment, "failed", f"An action failed: {reasons[0]}"[:MAX_REASON])
    elif all(status in ACTION_ENDED for status in statuses):
        finish(state, experiment, "completed", "Experiment completed.")
    else:
        state.save(experiment)


async def take_role(state: Experiments, experiment: Document) -> bool:
    """Assume the experiment's role. False while that fails; a role that was just made may not have come here yet, so
    the experiment fails only after a while."""
    region = state.region
    try:
        await region.aws(
            "sts",
            "AssumeRole",
            {"RoleArn": experiment["roleArn"], "RoleSessionName": experiment["id"]},
            principal=region.service_principal("fis"),
        )
    except Fault as fault:
        if region.clock.now_s() - experiment["creationTime"] > ROLE_PATIENCE_S:
            reason = f"The role {experiment['roleArn']} cannot be assumed: {fault.message}"
            finish(state, experiment, "failed", reason[:MAX_REASON])
        return False
    return True


async def alarming(state: Experiments, experiment: Document) -> str | None:
    """The alarm of a stop condition that is in ALARM."""
    names = [
        condition["value"].rpartition(":alarm:")[2]
        for condition in experiment["stopConditions"]
        if condition["source"] == "aws:cloudwatch:alarm"
    ]
    if not names:
        return None
    region = state.region
    try:
        found = await region.aws(
            "cloudwatch",
            "DescribeAlarms",
            {"AlarmNames": names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "StateValue": "ALARM"},
            principal=region.linked("fis"),
        )
    except Fault:
        return None
    for alarm in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())):
        return str(alarm["AlarmName"])
    return None


def ready(action: Document, actions: dict[str, Document]) -> bool:
    """May the action start: have those that it starts after completed?"""
    return all(actions[name]["state"]["status"] == "completed" for name in action.get("startAfter") or ())


async def start_action(state: Experiments, action: Document, experiment: Document) -> None:
    """Start the action's fault, or its wait; it runs once the fault has taken hold."""
    now_s = state.region.clock.now_s()
    spec = spec_of(action, state.region.name)
    action["startTime"] = now_s
    action["untilTime"] = now_s + seconds_of(action["parameters"]["duration"])
    if spec is None:
        action["state"] = {"status": "running", "reason": "Action is running."}
        return
    action["state"] = {"status": "initiating", "reason": "Action is initiating."}
    # Kept before the fault begins: the fault may end this very process.
    state.save(experiment)
    await state.region.engine.settled()
    try:
        fault = await state.region.board.start(spec, experiment["arn"])
    except ValueError as error:
        action["state"] = {"status": "failed", "reason": str(error)}
        action["endTime"] = state.region.clock.now_s()
        return
    action["state"] = {"status": "running", "reason": "Action is running."}
    action["fault"] = fault.id


def follow(state: Experiments, action: Document, faults: dict[str, ActiveFault]) -> None:
    """An action whose fault has ended, or whose time is over, is completed."""
    if action["state"]["status"] not in UNDER_WAY:
        return
    fault = faults.get(action.get("fault", ""))
    over = state.region.clock.now_s() >= action["untilTime"]
    if fault is not None:
        over = fault.ended_ms is not None
    if over:
        action["state"] = {"status": "completed", "reason": "Action was completed."}
        action["endTime"] = state.region.clock.now_s()


async def stop_action(state: Experiments, action: Document) -> None:
    """End what the action started."""
    status = action["state"]["status"]
    if status in ACTION_ENDED:
        return
    if action.get("fault"):
        try:
            await state.region.board.end(action["fault"])
        except KeyError:
            action["fault"] = ""
    action["state"] = {
        "status": "stopped" if status in UNDER_WAY else "cancelled",
        "reason": "Action was halted by stop condition or request.",
    }
    action["endTime"] = state.region.clock.now_s()


def finish(state: Experiments, experiment: Document, status: str, reason: str) -> None:
    """The experiment has ended."""
    experiment["state"] = {"status": status, "reason": reason}
    experiment["endTime"] = state.region.clock.now_s()
    for action in experiment["actions"].values():
        if action["state"]["status"] == "pending":
            action["state"] = {"status": "cancelled" if status == "failed" else "skipped", "reason": reason}
    state.save(experiment)
    state.forget_oldest()
