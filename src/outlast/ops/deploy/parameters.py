"""What each template is given: the wish, and the outputs of the stacks that were made before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outlast.ops.deployment import Deployed
from outlast.ops.names import NameServer
from outlast.ops.outcome import UsageError

ARC_REGION: Final = "us-west-2"
ZONE_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often things are looked at; the default is AWS's shortest."""

    canary_schedule: str = "rate(1 minute)"
    canary_period_s: float = 60.0
    canary_timeout_s: int = 50
    alarm_period_s: int = 60
    record_ttl_s: int = 10
    poll_s: float = 3.0


LOCAL_RHYTHM: Final = Rhythm("rate(3 seconds)", 3.0, 3, 10, 3, 0.3)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to deploy, where. `name_servers` empty: those of the zone. `switch` None: what was deployed before."""

    source: Path
    zone_name: str
    application: str = "orders"
    first_region: str = "us-east-1"
    second_region: str = "us-west-2"
    observer_region: str = "us-east-2"
    deletion_protection: bool = True
    manage_api_gateway_account: bool = True
    switch: Deployed | None = None
    rhythm: Rhythm = Rhythm()
    name_servers: tuple[NameServer, ...] = ()
    https_port: int = 443
    ca_path: str | None = None

    @property
    def service_name(self) -> str:
        """The name that customers use."""
        return f"{self.application}.{self.zone_name}"

    @property
    def app_regions(self) -> tuple[str, str]:
        """The Regions that run the application."""
        return (self.first_region, self.second_region)

    @property
    def all_regions(self) -> tuple[str, ...]:
        """Every Region that something is deployed in."""
        return tuple(dict.fromkeys((*self.app_regions, self.observer_region)))

    def template(self, name: str) -> str:
        """The text of a template; raises UsageError."""
        path = self.source / "templates" / f"{name}.yaml"
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"There is no template {path}: name the project's folder with --source.") from error


Output = Callable[[str, str, str], str]
"""An output of a stack: template, Region, name."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of each template, for a wish and the outputs known so far; keys of the two code archives."""

    wish: Wish
    out: Output
    function_key: str
    canary_key: str

    def zone(self) -> dict[str, str]:
        """Of zone.yaml."""
        return {"ZoneName": self.wish.zone_name}

    def foundation(self) -> dict[str, str]:
        """Of foundation.yaml."""
        return {"ManageApiGatewayAccount": str(self.wish.manage_api_gateway_account).lower()}

    def data(self) -> dict[str, str]:
        """Of data.yaml."""
        return {
            "Application": self.wish.application,
            "FirstRegion": self.wish.first_region,
            "SecondRegion": self.wish.second_region,
            "DeletionProtection": str(self.wish.deletion_protection).lower(),
        }

    def application(self, region: str) -> dict[str, str]:
        """Of application.yaml in one Region."""
        return {
            "Application": self.wish.application,
            "ZoneId": self.out("zone", ZONE_REGION, "ZoneId"),
            "ServiceName": self.wish.service_name,
            "CodeBucket": self.out("foundation", region, "CodeBucket"),
            "FunctionKey": self.function_key,
            **self._tables(),
        }

    def routing(self) -> dict[str, str]:
        """Of routing.yaml."""
        wish = self.wish
        return {
            "Application": wish.application,
            "ZoneId": self.out("zone", ZONE_REGION, "ZoneId"),
            "ServiceName": wish.service_name,
            "FirstRegion": wish.first_region,
            "SecondRegion": wish.second_region,
            "FirstDomain": self.out("application", wish.first_region, "RegionalDomain"),
            "SecondDomain": self.out("application", wish.second_region, "RegionalDomain"),
            "RecordTtl": str(wish.rhythm.record_ttl_s),
            "Switch": wish.switch or "routing-controls",
        }

    def watch(self, region: str) -> dict[str, str]:
        """Of watch.yaml in one Region."""
        (other,) = (each for each in self.wish.app_regions if each != region)
        return {
            **self._looking(region),
            **self._tables(),
            "ApiId": self.out("application", region, "ApiId"),
            "StageName": self.out("application", region, "StageName"),
            "FunctionName": self.out("application", region, "FunctionName"),
            "OtherRegion": other,
            "Switch": self.wish.switch or "routing-controls",
            "StopPeriodSeconds": str(min(self.wish.rhythm.alarm_period_s, 60)),
        }

    def observer(self) -> dict[str, str]:
        """Of observer.yaml."""
        wish = self.wish
        return {
            **self._looking(wish.observer_region),
            "FirstRegion": wish.first_region,
            "SecondRegion": wish.second_region,
            "FirstApiId": self.out("application", wish.first_region, "ApiId"),
            "FirstApiUrl": self.out("application", wish.first_region, "ApiUrl"),
            "SecondApiId": self.out("application", wish.second_region, "ApiId"),
            "SecondApiUrl": self.out("application", wish.second_region, "ApiUrl"),
            "ServiceName": wish.service_name,
        }

    def _tables(self) -> dict[str, str]:
        names = ("CustomersTable", "ProductsTable", "OrdersTable")
        return {name: self.out("data", self.wish.first_region, name) for name in names}

    def _looking(self, region: str) -> dict[str, str]:
        rhythm = self.wish.rhythm
        return {
            "Application": self.wish.application,
            "CodeBucket": self.out("foundation", region, "CodeBucket"),
            "ArtifactBucket": self.out("foundation", region, "ArtifactBucket"),
            "CanaryKey": self.canary_key,
            "CanarySchedule": rhythm.canary_schedule,
            "CanaryTimeoutSeconds": str(rhythm.canary_timeout_s),
            "AlarmPeriodSeconds": str(rhythm.alarm_period_s),
        }
