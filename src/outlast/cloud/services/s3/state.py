"""What S3 keeps: buckets with their configuration, the names of all buckets of the world, and objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.services.s3.errors import InvalidBucketName, NoSuchBucket, PermanentRedirect
from outlast.cloud.services.s3.store import ObjectStore

Document = dict[str, Any]
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


class S3State:
    """Buckets belong to a Region; their names are known in all."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.buckets = Shelf(region, "s3/buckets")
        self.names = Shelf(region, "s3/names", spread=True)
        self.objects = ObjectStore(region)
        self._policies: dict[str, Mapping[str, Any]] = {}

    def bucket(self, name: str) -> Document:
        """The bucket of this Region; raises NoSuchBucket, or PermanentRedirect for one that is elsewhere."""
        document = self.buckets.get(name)
        if document is not None:
            return document
        elsewhere = self.names.get(name)
        if elsewhere is not None and elsewhere["Region"] != self.region.name:
            raise PermanentRedirect(
                "The bucket you are attempting to access must be addressed using the specified endpoint. Please send "
                "all future requests to this endpoint.",
                Bucket=name,
                Region=elsewhere["Region"],
                Endpoint=f"{name}.s3.{elsewhere['Region']}.amazonaws.com",
            )
        raise NoSuchBucket(name)

    def change(self, name: str, **fields: Any) -> None:
        """Write some of the bucket's configuration; None removes a field."""
        document = {**self.bucket(name), **fields}
        self.buckets.put(name, {key: value for key, value in document.items() if value is not None})
        self._policies.pop(name, None)

    def is_versioned(self, name: str) -> bool:
        """Whether new objects get versions of their own."""
        return self.bucket(name).get("Versioning") == "Enabled"

    def policy(self, arn: str) -> Mapping[str, Any] | None:
        """The bucket policy that guards a bucket or an object; the same value until it changes."""
        name = arn.removeprefix("arn:aws:s3:::").partition("/")[0]
        known = self._policies.get(name)
        if known is None:
            document = self.buckets.get(name)
            if document is None or "Policy" not in document:
                return None
            known = self._policies[name] = orjson.loads(document["Policy"])
        return known


def check_name(name: str) -> None:
    """Raise InvalidBucketName for a name that breaks the rules.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    reserved = name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(("-s3alias", "--ol-s3", "--x-s3"))
    if _NAME.fullmatch(name) is None or ".." in name or _ADDRESS.fullmatch(name) or reserved:
        raise InvalidBucketName("The specified bucket is not valid.", BucketName=name)
