"""Exports and imports: refused as AWS refuses them, and otherwise by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

NEW = {
    "TableName": "fresh",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
}


async def arn_of_things(db: Home) -> str:
    await db.table()
    return str((await db("DescribeTable", TableName="things"))["Table"]["TableArn"])


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"ExportType": "OTHER"}, "ValidationException", "'exportType'"),
        ({"ClientToken": ""}, "ValidationException", "'clientToken'"),
        ({"ExportFormat": ""}, "ValidationException", "'exportFormat'"),
        ({"S3Prefix": ""}, "ValidationException", "'s3Prefix'"),
        ({"S3Bucket": ""}, "ValidationException", "'s3Bucket'"),
        ({"S3BucketOwner": ""}, "ValidationException", "'s3BucketOwner'"),
        ({"S3SseAlgorithm": "OTHER"}, "ValidationException", "'s3SseAlgorithm'"),
        ({"S3SseKmsKeyId": ""}, "ValidationException", "'s3SseKmsKeyId'"),
        ({"TableArn": ""}, "ValidationException", "'tableArn'"),
        ({"TableArn": "\t"}, "ValidationException", "TableArn"),
        ({"TableArn": "things"}, "ValidationException", "TableArn"),
        ({"TableArn": "arn:aws:dynamodb:us-east-1:1:table/else"}, "TableNotFoundException", "not found"),
        ({"ExportTime": -1}, "InvalidExportTimeException", "ExportTime"),
        ({"ExportTime": 1e11}, "InvalidExportTimeException", "ExportTime"),
        (
            {"IncrementalExportSpecification": {"ExportFromTime": 10, "ExportToTime": 12}},
            "InvalidExportTimeException",
            "Difference between export period",
        ),
        (
            {"IncrementalExportSpecification": {"ExportFromTime": 10, "ExportToTime": 100_000}},
            "InvalidExportTimeException",
            "more than 24 hours",
        ),
        ({}, "PointInTimeRecoveryUnavailableException", "not enabled for table 'things'"),
    ],
)
async def test_exports_that_aws_refuses(db: Home, given: Any, code: str, message: str) -> None:
    arn = await arn_of_things(db)
    fault = await db.refused("ExportTableToPointInTime", **{"TableArn": arn, "S3Bucket": "bucket", **given})
    assert (fault.code, message in fault.message) == (code, True)


async def test_an_export_that_aws_would_do_is_refused_by_name(db: Home) -> None:
    arn = await arn_of_things(db)
    await db(
        "UpdateContinuousBackups",
        TableName="things",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    fault = await db.refused("ExportTableToPointInTime", TableArn=arn, S3Bucket="bucket")
    assert fault.code == "UnknownOperationException"
    assert "ExportTableToPointInTime" in fault.message


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"ClientToken": None}, "ValidationException", "'clientToken'"),
        ({"ClientToken": "a$"}, "ValidationException", "'clientToken'"),
        ({"InputFormat": "OTHER"}, "ValidationException", "'inputFormat'"),
        ({"InputFormatOptions": {"Csv": {"Delimiter": ","}}}, "ValidationException", "InputFormatOptions"),
        ({"S3BucketSource": {"S3Bucket": "-no!"}}, "ValidationException", "s3Bucket'"),
        ({"TableCreationParameters": {**NEW, "TableName": "no name"}}, "ValidationException", "ableName"),
        ({"TableCreationParameters": {**NEW, "TableName": "n" * 256}}, "ValidationException", "ableName"),
        (
            {
                "TableCreationParameters": {
                    **NEW,
                    "AttributeDefinitions": [{"AttributeName": "o", "AttributeType": "S"}],
                }
            },
            "ValidationException",
            "AttributeDefinitions",
        ),
        ({"TableCreationParameters": {**NEW, "TableName": "things"}}, "ResourceInUseException", "Table already exists"),
        ({}, "UnknownOperationException", "ImportTable"),
    ],
)
async def test_imports_that_are_refused(db: Home, given: Any, code: str, message: str) -> None:
    await db.table()
    whole = {
        "ClientToken": "token",
        "S3BucketSource": {"S3Bucket": "bucket"},
        "InputFormat": "DYNAMODB_JSON",
        "TableCreationParameters": NEW,
        **given,
    }
    fault = await db.refused("ImportTable", **{name: value for name, value in whole.items() if value is not None})
    assert (fault.code, message in fault.message) == (code, True)


@pytest.mark.parametrize("kind", ["Export", "Import"])
async def test_none_is_ever_described_or_listed(db: Home, kind: str) -> None:
    arn = await arn_of_things(db)
    part = kind.lower()
    for given, code in (
        (f"{arn}/{part}/01658528578619-c4d4e311", f"{kind}NotFoundException"),
        (arn + "/too/long/for/a/table", "ValidationException"),
        (f"{arn.rpartition('/')[0]}/x/{part}/01658528578619-c4d4e311", "ValidationException"),
        (arn.replace("arn:", "other:") + f"/{part}/0165852857", "ValidationException"),
        (arn.replace("us-east-1", "elsewhere") + f"/{part}/0165852857", "AccessDeniedException"),
        (arn.replace("aws", "other") + f"/{part}/0165852857", "AccessDeniedException"),
    ):
        fault = await db.refused(f"Describe{kind}", **{f"{kind}Arn": given})
        assert fault.code == code, given
    listed = await db(f"List{kind}s", TableArn=arn)
    assert listed in ({"ExportSummaries": []}, {"ImportSummaryList": []})
    fault = await db.refused(f"List{kind}s", NextToken="0123456789abcdef" * 7)
    assert f"List{kind}s" in fault.message
