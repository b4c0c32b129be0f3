"""The S3 service. https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Region, Service
from outlast.cloud.services.s3.resources import RESOURCE_TYPES
from outlast.cloud.services.s3.state import S3State

s3: Service[S3State] = Service(
    "s3",
    open=S3State,
    resource_policy=lambda state, arn: state.policy(arn),
    resource_types=RESOURCE_TYPES,
)

BUCKET = "arn:aws:s3:::{Bucket}"


def object_arn(params: Mapping[str, Any]) -> str:
    """The ARN of the object that a request names."""
    return f"{bucket_arn(params)}/{params['Key']}"


def bucket_arn(params: Mapping[str, Any]) -> str:
    """The ARN of the bucket that a request names."""
    return f"arn:aws:s3:::{params['Bucket']}"


def reading(params: Mapping[str, Any], _region: Region) -> tuple[tuple[str, str], ...]:
    """What GetObject and HeadObject need."""
    action = "s3:GetObjectVersion" if params.get("VersionId") else "s3:GetObject"
    return ((action, object_arn(params)),)


def deleting(params: Mapping[str, Any], _region: Region) -> tuple[tuple[str, str], ...]:
    """What DeleteObject needs."""
    action = "s3:DeleteObjectVersion" if params.get("VersionId") else "s3:DeleteObject"
    return ((action, object_arn(params)),)
