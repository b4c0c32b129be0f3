"""Standby takes over: an alarm in the *other* Region switches a Region off, so the Region that is left is not asked.

A Region's health check follows the alarm `APPLICATION-stop-REGION` that its standby holds, over a metric that nobody
but this board writes: above zero the Region is off. It needs CloudWatch's data plane in the standby and nothing else.
The same alarm in the Region itself is a copy for reading, for the night on which the standby is the Region that died.

The alarm keeps its state while no data comes (TreatMissingData `ignore`, LastKnownStatus), so one datum is enough and
a dead standby moves nobody. Within a minute the latest word wins: the alarm sums, and each second's datum weighs four
times the one before.
https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-types.html (follows the alarm's data stream)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.arc import Try
from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deployment import Deployment
from outlast.ops.outcome import OpsError, RefusedError

NAMESPACE: Final = "Outlast/Switch"
METRIC: Final = "Stop"
MINUTE_S: Final = 60
BASE: Final = 4.0
LOOK_BACK: Final = timedelta(hours=1)


def alarm_name(application: str, region: str) -> str:
    """The alarm that switches the Region off."""
    return f"{application}-stop-{region}"


def holder_of(deployment: Deployment, region: str) -> str:
    """The Region whose alarm counts for `region`: its standby."""
    return deployment.others(region)[0].name


class StandbyBoard:
    """Reads and sets the stop alarms of a deployment. `note` hears of every datum that was sent, or was not.

    It knows no safety rule of ARC's, so it keeps the first one itself: the last Region is never switched off.
    """

    def __init__(
        self,
        clients: Clients,
        deployment: Deployment,
        note: Callable[[Try], None] = lambda _: None,
        *,
        now_s: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._deployment = deployment
        self._note = note
        self._now_s = now_s
        self._sleep = sleep

    def states(self) -> dict[str, bool]:
        """Whether each Region is on, as it was last told; a Region that nobody can tell of is left out.

        Raises OpsError when nothing can be read.
        """
        errors: list[str] = []
        found = {region: self._told(region, errors) for region in self._deployment.region_names}
        known = {region: on for region, on in found.items() if on is not None}
        if not known:
            raise OpsError(f"No stop alarm could be read ({'; '.join(errors[-4:])}).")
        return known

    def set(self, wanted: Mapping[str, bool], override: Sequence[str] = ()) -> None:
        """Switch Regions on, then off. Not atomic, safe to repeat; what is so already is not sent again.

        A Region that nobody can tell of counts as on: its health check keeps its last known state. Raises RefusedError
        when no Region would be left on, OpsError when a standby cannot be told. `override` has no rule to name here.
        """
        if override:
            raise RefusedError("Stop alarms have no safety rule that could be overridden.")
        states = dict.fromkeys(self._deployment.region_names, True) | self.states()
        if not any(wanted.get(region, on) for region, on in states.items()):
            raise RefusedError("It would leave no Region on.")
        for region, on in sorted(wanted.items(), key=lambda each: not each[1]):
            if not on or not states[region]:
                self._tell(region, on)

    def _tell(self, region: str, on: bool) -> None:
        """The standby must hear it; the Region's own copy may."""
        holder = holder_of(self._deployment, region)
        at_s = self._now_s()
        error = self._send(holder, region, on, at_s)
        if error:
            raise OpsError(f"The standby {holder} could not be told to switch {region} {_word(on)}: {error}.")
        self._send(region, region, on, at_s)

    def _send(self, holder: str, region: str, on: bool, at_s: float) -> str:
        at_s -= self._clients.ahead_s(holder)  # an alarm looks at its own Region's last minute
        weight = BASE ** (int(at_s) % MINUTE_S)
        datum = {
            "MetricName": METRIC,
            "Dimensions": self._dimensions(region),
            "Timestamp": datetime.fromtimestamp(at_s, UTC),
            "Value": -weight if on else weight,
            "StorageResolution": 1,  # kept by the second: an alarm may look at less than a minute
        }
        client = self._clients.of("cloudwatch", holder)
        error = ""
        try:
            again(lambda: client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum]), sleep=self._sleep)
        except (ClientError, BotoCoreError) as refused:
            error = error_code(refused)
        self._note(
            Try("PutMetricData", f"{alarm_name(self._deployment.application, region)} in {holder}", holder, error)
        )
        return error

    def _told(self, region: str, errors: list[str]) -> bool | None:
        for holder in (holder_of(self._deployment, region), region):
            try:
                return self._read(holder, region)
            except (ClientError, BotoCoreError) as error:
                errors.append(f"{holder}: {error_code(error)}")
            except OpsError as error:
                errors.append(str(error))
        return None

    def _read(self, holder: str, region: str) -> bool:
        """The latest word within the hour; before that the alarm, which keeps it."""
        client = self._clients.of("cloudwatch", holder)
        now = datetime.fromtimestamp(self._now_s(), UTC)
        wanted = {
            "Namespace": NAMESPACE,
            "MetricName": METRIC,
            "Dimensions": self._dimensions(region),
            "StartTime": now - LOOK_BACK,
            "EndTime": now + LOOK_BACK,  # this machine's clock may be behind
            "Period": MINUTE_S,
            "Statistics": ["Sum"],
        }
        points: list[Any] = again(lambda: client.get_metric_statistics(**wanted), sleep=self._sleep)["Datapoints"]
        if points:
            return float(max(points, key=lambda each: each["Timestamp"])["Sum"]) <= 0
        name = alarm_name(self._deployment.application, region)
        alarms = again(lambda: client.describe_alarms(AlarmNames=[name]), sleep=self._sleep)["MetricAlarms"]
        if not alarms:
            raise OpsError(f"there is no alarm {name} in {holder}")
        return str(alarms[0]["StateValue"]) != "ALARM"

    def _dimensions(self, region: str) -> list[dict[str, str]]:
        return [{"Name": "Application", "Value": self._deployment.application}, {"Name": "Region", "Value": region}]


def _word(on: bool) -> str:
    return "on" if on else "off"
