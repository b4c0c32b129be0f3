"""The modelled errors of Route 53, and the wording of those raised in more than one place.

https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html and each operation's page.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlast.cloud.contract import Fault


class InvalidInput(Fault):
    """The input is not valid."""


class InvalidDomainName(Fault):
    """The specified domain name is not valid."""


class InvalidChangeBatch(Fault):
    """The change batch breaks a rule; nothing of it was done."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"[{', '.join(problems)}]", messages=list(problems))


class NoSuchHostedZone(Fault):
    """No hosted zone exists with this id."""


class NoSuchHealthCheck(Fault):
    """No health check exists with this id."""


class NoSuchChange(Fault):
    """A change with this id does not exist."""


class NoSuchDelegationSet(Fault):
    """No reusable delegation set exists with this id."""


class NoSuchQueryLoggingConfig(Fault):
    """There is no DNS query logging configuration with this id."""


class NoSuchCloudWatchLogsLogGroup(Fault):
    """There is no such log group."""


class QueryLoggingConfigAlreadyExists(Fault):
    """The hosted zone has a query logging configuration already."""


class InsufficientCloudWatchLogsResourcePolicy(Fault):
    """Route 53 may not write to the log group."""


class HostedZoneAlreadyExists(Fault):
    """The caller reference was used before."""


class HostedZoneNotEmpty(Fault):
    """The hosted zone contains record sets other than its own SOA and NS."""


class HealthCheckAlreadyExists(Fault):
    """The caller reference was used before, with other settings."""


class HealthCheckInUse(Fault):
    """Other health checks or record sets refer to it."""


class HealthCheckVersionMismatch(Fault):
    """The version in the request is not the current one."""


class TooManyHostedZones(Fault):
    """The account has as many hosted zones as it may have."""


class TooManyHealthChecks(Fault):
    """The account has as many health checks as it may have."""


def no_such_zone(zone_id: str) -> NoSuchHostedZone:
    """What AWS answers to the id of a zone that is not there."""
    return NoSuchHostedZone(f"No hosted zone found with ID: {zone_id}")


def no_such_check(check_id: str) -> NoSuchHealthCheck:
    """What AWS answers to the id of a health check that is not there."""
    return NoSuchHealthCheck(f"No health check exists with the specified ID {check_id}")


def unsupported(what: str) -> InvalidInput:
    """What AWS has and this cloud refuses by name."""
    return InvalidInput(f"{what} is not supported by this cloud.")
