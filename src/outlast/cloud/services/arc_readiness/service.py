"""The service: a control plane in us-west-2 that looks at resources everywhere.

https://docs.aws.amazon.com/recovery-readiness/latest/api/what-is-recovery-readiness.html
"""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.arc_readiness.resources import RESOURCE_TYPES
from outlast.cloud.services.arc_readiness.state import SERVICE, Readiness

arc_readiness: Service[Readiness] = Service(
    SERVICE,
    open=Readiness,
    home="us-west-2",
    linked=(
        "apigateway:GET",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricStatistics",
        "dynamodb:DescribeLimits",
        "dynamodb:DescribeTable",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "route53:GetHealthCheck",
        "route53:GetHealthCheckStatus",
        "route53:GetHostedZone",
        "route53:ListResourceRecordSets",
    ),
    resource_types=RESOURCE_TYPES,
)
START = "arn:aws:route53-recovery-readiness::{account}:"
CELL = START + "cell/{CellName}"
GROUP = START + "recovery-group/{RecoveryGroupName}"
RESOURCE_SET = START + "resource-set/{ResourceSetName}"
CHECK = START + "readiness-check/{ReadinessCheckName}"
