"""The AWS managed policies that this cloud knows, in short documents of its own over the actions that it has.

https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

from functools import cache

import orjson

ROOT = "arn:aws:iam::aws:policy/"
CREATED_S = 1_420_070_400
"""AWS's creation dates differ from policy to policy; here all are as old as 2015."""

_READ = ("Describe*", "Get*", "List*")
_LOGS_WRITE = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_METRICS_READ = ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*")

_ACTIONS: dict[str, tuple[str, ...]] = {
    "AdministratorAccess": ("*",),
    "ReadOnlyAccess": (
        *(
            f"{service}:{verb}"
            for service in ("acm", "apigateway", "arc-region-switch", "cloudformation")
            for verb in _READ
        ),
        *(f"{service}:{verb}" for service in ("cloudwatch", "dynamodb", "fis", "health", "iam") for verb in _READ),
        *(f"{service}:{verb}" for service in ("lambda", "logs", "route53", "s3", "synthetics") for verb in _READ),
        *(f"route53-recovery-{part}:{verb}" for part in ("control-config", "readiness") for verb in _READ),
        "apigateway:GET",
        "dynamodb:BatchGetItem",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        "logs:FilterLogEvents",
        "logs:StartQuery",
        "logs:TestMetricFilter",
        "route53:TestDNSAnswer",
        "route53-recovery-cluster:Get*",
        "route53-recovery-cluster:List*",
    ),
    "AmazonDynamoDBFullAccess": ("dynamodb:*", *_METRICS_READ, "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
    "AmazonDynamoDBFullAccess_v2": ("dynamodb:*", *_METRICS_READ),
    "AmazonDynamoDBReadOnlyAccess": (
        *(f"dynamodb:{verb}" for verb in _READ),
        "dynamodb:BatchGetItem",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        *_METRICS_READ,
    ),
    "CloudWatchFullAccess": ("cloudwatch:*", "logs:*", "synthetics:*", "iam:GetPolicy*", "iam:GetRole"),
    "CloudWatchFullAccessV2": ("cloudwatch:*", "logs:*", "synthetics:*", "iam:GetPolicy*", "iam:GetRole"),
    "CloudWatchReadOnlyAccess": (*_METRICS_READ, "logs:Get*", "logs:List*", "logs:Describe*", "logs:FilterLogEvents"),
    "CloudWatchLogsFullAccess": ("logs:*",),
    "CloudWatchLogsReadOnlyAccess": ("logs:Describe*", "logs:Get*", "logs:List*", "logs:FilterLogEvents"),
    "CloudWatchSyntheticsFullAccess": (
        "synthetics:*",
        "s3:CreateBucket",
        "s3:PutEncryptionConfiguration",
        "s3:ListAllMyBuckets",
        "s3:GetBucketLocation",
        "s3:PutObject",
        "s3:GetObject",
        "s3:ListBucket",
        "iam:ListRoles",
        "iam:GetRole",
        "iam:PassRole",
        "lambda:*",
        "logs:*",
        *_METRICS_READ,
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DeleteAlarms",
    ),
    "CloudWatchSyntheticsReadOnlyAccess": ("synthetics:Describe*", "synthetics:Get*", "synthetics:List*"),
    "AWSLambda_FullAccess": ("lambda:*", "iam:PassRole", "iam:GetRole", "iam:ListRoles", "logs:*", *_METRICS_READ),
    "AWSLambda_ReadOnlyAccess": ("lambda:Get*", "lambda:List*", "logs:Describe*", "logs:Get*", *_METRICS_READ),
    "AmazonAPIGatewayAdministrator": ("apigateway:*",),
    "AmazonAPIGatewayInvokeFullAccess": ("execute-api:Invoke", "execute-api:ManageConnections"),
    "AmazonRoute53FullAccess": ("route53:*", *_METRICS_READ),
    "AmazonRoute53ReadOnlyAccess": ("route53:Get*", "route53:List*", "route53:TestDNSAnswer"),
    "AmazonRoute53RecoveryControlConfigFullAccess": ("route53-recovery-control-config:*",),
    "AmazonRoute53RecoveryControlConfigReadOnlyAccess": (
        "route53-recovery-control-config:Describe*",
        "route53-recovery-control-config:List*",
    ),
    "AmazonRoute53RecoveryClusterFullAccess": ("route53-recovery-cluster:*",),
    "AmazonRoute53RecoveryClusterReadOnlyAccess": ("route53-recovery-cluster:Get*", "route53-recovery-cluster:List*"),
    "AmazonS3FullAccess": ("s3:*",),
    "AmazonS3ReadOnlyAccess": ("s3:Get*", "s3:List*", "s3:Describe*"),
    "AWSCertificateManagerFullAccess": ("acm:*",),
    "AWSCertificateManagerReadOnly": ("acm:Describe*", "acm:Get*", "acm:List*"),
    "AWSCloudFormationFullAccess": ("cloudformation:*",),
    "AWSCloudFormationReadOnlyAccess": (
        "cloudformation:Describe*",
        "cloudformation:EstimateTemplateCost",
        "cloudformation:Get*",
        "cloudformation:List*",
        "cloudformation:ValidateTemplate",
    ),
    "IAMFullAccess": ("iam:*",),
    "IAMReadOnlyAccess": ("iam:Get*", "iam:List*", "iam:Simulate*"),
    "service-role/AWSLambdaBasicExecutionRole": _LOGS_WRITE,
    "service-role/AWSLambdaDynamoDBExecutionRole": (
        *_LOGS_WRITE,
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
    "service-role/AWSLambdaRole": ("lambda:InvokeFunction",),
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": (
        *_LOGS_WRITE,
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
    ),
}
_WRITES_ALL_BUT_IDENTITY = "PowerUserAccess"


def names() -> list[str]:
    """Path and name of every AWS managed policy that is known here, in order."""
    return sorted([*_ACTIONS, _WRITES_ALL_BUT_IDENTITY])


@cache
def document(arn: str) -> str | None:
    """The policy's document as JSON text; None when this cloud does not know the policy."""
    name = arn.removeprefix(ROOT)
    if name == arn:
        return None
    if name == _WRITES_ALL_BUT_IDENTITY:
        statement = {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}
    elif name in _ACTIONS:
        statement = {"Effect": "Allow", "Action": list(_ACTIONS[name]), "Resource": "*"}
    else:
        return None
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
