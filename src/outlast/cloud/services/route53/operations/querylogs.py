"""Query logging configurations.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateQueryLoggingConfig.html
"""

from __future__ import annotations

from typing import Any, Final

from outlast.cloud.contract import Call, Fault, Reply
from outlast.cloud.services.route53.errors import (
    InsufficientCloudWatchLogsResourcePolicy,
    InvalidInput,
    NoSuchCloudWatchLogsLogGroup,
    NoSuchQueryLoggingConfig,
    QueryLoggingConfigAlreadyExists,
)
from outlast.cloud.services.route53.model import bare_id
from outlast.cloud.services.route53.operations.pages import page
from outlast.cloud.services.route53.operations.zones import LOCATION
from outlast.cloud.services.route53.querylog import group_of
from outlast.cloud.services.route53.service import route53
from outlast.cloud.services.route53.state import State

CONFIG: Final = "arn:aws:route53:::queryloggingconfig/{Id}"
TEST_STREAM: Final = "route53-test-log-stream"


@route53.operation(resource="arn:aws:route53:::hostedzone/{HostedZoneId}")
async def create_query_logging_config(
    call: Call[State], *, hosted_zone_id: str, cloud_watch_logs_log_group_arn: str
) -> Reply:
    """Log every query of the zone, once Route 53 has shown that it may write to the log group."""
    zone = call.state.zone(hosted_zone_id)
    arn = cloud_watch_logs_log_group_arn
    if arn.count(":") < 6 or arn.split(":")[2] != "logs":
        raise InvalidInput(f"The ARN for the CloudWatch Logs log group is invalid: {arn}")
    if arn.split(":")[3] != call.state.home:
        raise NoSuchCloudWatchLogsLogGroup(f"The log group must be in the {call.state.home} Region.")
    if any(document["HostedZoneId"] == zone.id for _, document in call.state.log_configs.items()):
        raise QueryLoggingConfigAlreadyExists(f"A query logging config already exists for hosted zone {zone.id}")
    await _try_to_write(call, arn)
    config = {
        "Id": call.region.entropy.uuid(),
        "HostedZoneId": zone.id,
        "CloudWatchLogsLogGroupArn": arn.removesuffix(":*"),
    }
    call.state.log_configs.put(config["Id"], config)
    return {"QueryLoggingConfig": config, "Location": f"{LOCATION}/queryloggingconfig/{config['Id']}"}


async def _try_to_write(call: Call[State], arn: str) -> None:
    """Make a test stream as AWS does: it needs the log group, and a resource policy that lets Route 53 write."""
    listed = await call.region.aws(
        "logs",
        "DescribeLogGroups",
        {"logGroupNamePrefix": group_of(arn)},
        principal=call.region.linked("route53"),
        region=call.state.home,
    )
    if all(group["logGroupName"] != group_of(arn) for group in listed["logGroups"]):
        raise NoSuchCloudWatchLogsLogGroup("The specified CloudWatch Logs log group doesn't exist.")
    try:
        await call.region.aws(
            "logs",
            "CreateLogStream",
            {"logGroupName": group_of(arn), "logStreamName": TEST_STREAM},
            principal=call.region.service_principal("route53"),
            region=call.state.home,
        )
    except Fault as fault:
        if fault.code != "ResourceAlreadyExistsException":
            raise InsufficientCloudWatchLogsResourcePolicy(
                "The CloudWatch Logs Resource Policy for this log group doesn't grant Route 53 permission to create "
                "log streams and to deliver query logs to log streams."
            ) from None


def _config(state: State, config_id: str) -> dict[str, Any]:
    found = state.log_configs.get(bare_id(config_id))
    if found is None:
        raise NoSuchQueryLoggingConfig(f"The query logging config with ID {config_id} does not exist")
    return found


@route53.operation(resource=CONFIG)
def get_query_logging_config(call: Call[State], *, id: str) -> Reply:
    """One configuration."""
    return {"QueryLoggingConfig": _config(call.state, id)}


@route53.operation(resource=CONFIG)
def delete_query_logging_config(call: Call[State], *, id: str) -> Reply:
    """Stop logging; what was logged stays."""
    call.state.log_configs.delete(_config(call.state, id)["Id"])
    return {}


@route53.operation(resource="*")
def list_query_logging_configs(
    call: Call[State],
    *,
    hosted_zone_id: str | None = None,
    next_token: str | None = None,
    max_results: str | None = None,
) -> Reply:
    """All configurations, or that of one zone."""
    if hosted_zone_id is not None:
        call.state.zone(hosted_zone_id)
    found = [
        document
        for key, document in call.state.log_configs.items()
        if (hosted_zone_id is None or document["HostedZoneId"] == bare_id(hosted_zone_id)) and key >= (next_token or "")
    ]
    shown = page(found, max_results)
    reply: dict[str, Any] = {"QueryLoggingConfigs": list(shown.items)}
    if shown.following is not None:
        reply["NextToken"] = shown.following["Id"]
    return reply
