"""Exports to S3 and imports from S3: what AWS refuses is refused as there; what it would do is refused by name.

There is never one to describe or to list.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import AccessDeniedException, ValidationException
from outlast.cloud.services.dynamodb import definition
from outlast.cloud.services.dynamodb.errors import (
    ExportNotFoundException,
    ImportNotFoundException,
    InvalidExportTimeException,
    PointInTimeRecoveryUnavailableException,
    ResourceInUseException,
    TableNotFoundException,
    UnknownOperationException,
)
from outlast.cloud.services.dynamodb.names import (
    MIN_NAME,
    arn_resource,
    constraint,
    plain_name,
    table_arn,
    table_of_arn,
)
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB

REFUSED = ("ExportTableToPointInTime", "ImportTable")
"""They check their parameters and then say that this cloud does not do it."""
MIN_PERIOD_S = 15 * 60
MAX_PERIOD_S = 24 * 3600
ARN_PARTS = 6


def _unsupported(operation: str) -> UnknownOperationException:
    return UnknownOperationException(f"This cloud does not support dynamodb:{operation}.")


def _names_one(call: Call[DynamoDB], arn: str, kind: str) -> bool:
    """Whether an ARN has the form of an export's or import's ARN; raises Fault when it is not of this account."""
    parts = arn.split(":", ARN_PARTS - 1)
    ours = ["arn", "aws", "dynamodb", call.region.name, call.region.account_id]
    if len(parts) == ARN_PARTS and parts[0] == "arn" and parts[:-1] != ours:
        raise AccessDeniedException(
            f"User: {call.principal.arn} is not authorized to perform: dynamodb:{call.operation} on resource: {arn}"
        )
    _, _, name, rest = table_of_arn(arn)
    return len(name) >= MIN_NAME and rest.startswith(f"/{kind}/") and len(rest) > len(kind) + 2


def _check_no_token(operation: str, token: str | None) -> None:
    """Nothing is ever listed in pages, so no token is one of ours."""
    if token is not None:
        raise ValidationException(f"Invalid NextToken for {operation}: {token}")


# ---- exports


def _check_times(call: Call[DynamoDB], export_time: float | None, period: Mapping[str, Any] | None) -> None:
    if export_time is not None and not 0 <= export_time * 1000 <= call.now_ms:
        raise InvalidExportTimeException("The specified ExportTime is outside of the point in time recovery window.")
    start, end = (period or {}).get("ExportFromTime"), (period or {}).get("ExportToTime")
    if start is None or end is None:
        return
    rule = "Difference between export period from time and export period to time"
    if end - start < MIN_PERIOD_S:
        raise InvalidExportTimeException(f"{rule} is less than 15 minutes")
    if end - start > MAX_PERIOD_S:
        raise InvalidExportTimeException(f"{rule} is more than 24 hours")


@dynamodb.operation(
    resource=arn_resource("TableArn"),
    control_plane=True,
    ignored=("ClientToken", "S3BucketOwner", "S3SseAlgorithm", "S3SseKmsKeyId", "ExportFormat",
             "ExportType", "FilterSpecification"),
)  # fmt: skip
def export_table_to_point_in_time(
    call: Call[DynamoDB],
    *,
    table_arn: str,
    s3_bucket: str,
    export_time: float | None = None,
    s3_prefix: str | None = None,
    incremental_export_specification: dict[str, Any] | None = None,
) -> Reply:
    """Refuse what AWS refuses; then refuse."""
    del s3_bucket
    region, account, name, rest = table_of_arn(table_arn)
    if not name or rest:
        raise ValidationException(f"Invalid TableArn: {table_arn}")
    if s3_prefix == "":
        raise constraint("", "s3Prefix", "Member must have length greater than or equal to 1")
    _check_times(call, export_time, incremental_export_specification)
    ours = (region, account) == (call.region.name, call.region.account_id)
    table = call.state.tables.get(name) if ours else None
    if table is None:
        raise TableNotFoundException(f"Table not found: {table_arn}")
    if not table.doc.get("Recovery"):
        raise PointInTimeRecoveryUnavailableException(f"Point in time recovery is not enabled for table '{name}'")
    raise _unsupported("ExportTableToPointInTime")


@dynamodb.operation(resource=arn_resource("ExportArn"))
def describe_export(call: Call[DynamoDB], *, export_arn: str) -> Reply:
    """Find no such export."""
    if not _names_one(call, export_arn, "export"):
        raise ValidationException(f"Invalid Export ARN: {export_arn}")
    raise ExportNotFoundException(f"Export not found: {export_arn}")


@dynamodb.operation(ignored=("TableArn", "MaxResults"))
def list_exports(call: Call[DynamoDB], *, next_token: str | None = None) -> Reply:
    """List none."""
    del call
    _check_no_token("ListExports", next_token)
    return {"ExportSummaries": []}


# ---- imports


def new_table_arn(params: Mapping[str, Any], region: Any) -> str:
    """The ARN of the table that an import would make."""
    given = params.get("TableCreationParameters")
    name = given.get("TableName") if isinstance(given, dict) else None
    return table_arn(region, name) if isinstance(name, str) else "*"


@dynamodb.operation(resource=new_table_arn, control_plane=True, ignored=("InputCompressionType",))
def import_table(
    call: Call[DynamoDB],
    *,
    table_creation_parameters: dict[str, Any],
    s3_bucket_source: dict[str, Any],
    input_format: str,
    input_format_options: dict[str, Any] | None = None,
    client_token: str | None = None,
) -> Reply:
    """Refuse what AWS refuses; then refuse."""
    del s3_bucket_source
    if client_token is None:
        raise ValidationException(
            "1 validation error detected: Value null at 'clientToken' failed to satisfy constraint: "
            "Member must not be null"
        )
    if input_format_options and input_format != "CSV":
        raise ValidationException(f"InputFormatOptions cannot be given with the InputFormat {input_format}")
    name = plain_name(table_creation_parameters["TableName"], "tableCreationParameters.tableName", MIN_NAME)
    definition.check_new_table(table_creation_parameters)
    if name in call.state.tables:
        raise ResourceInUseException(f"Table already exists: {name}")
    raise _unsupported("ImportTable")


@dynamodb.operation(resource=arn_resource("ImportArn"))
def describe_import(call: Call[DynamoDB], *, import_arn: str) -> Reply:
    """Find no such import."""
    if not _names_one(call, import_arn, "import"):
        raise ValidationException(f"Invalid Import ARN: {import_arn}")
    raise ImportNotFoundException(f"Import not found: {import_arn}")


@dynamodb.operation(ignored=("TableArn", "PageSize"))
def list_imports(call: Call[DynamoDB], *, next_token: str | None = None) -> Reply:
    """List none."""
    del call
    _check_no_token("ListImports", next_token)
    return {"ImportSummaryList": []}
