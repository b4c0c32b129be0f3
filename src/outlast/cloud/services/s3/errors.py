"""S3's errors. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

from __future__ import annotations

from outlast.cloud.contract import Fault


class NoSuchBucket(Fault, status=404):
    """The bucket does not exist."""

    def __init__(self, bucket: str) -> None:
        super().__init__("The specified bucket does not exist", BucketName=bucket)


class NoSuchKey(Fault, status=404):
    """There is no object of this name."""

    def __init__(self, key: str) -> None:
        super().__init__("The specified key does not exist.", Key=key)


class NoSuchVersion(Fault, status=404):
    """The object has no such version."""

    def __init__(self, key: str, version_id: str) -> None:
        super().__init__("The specified version does not exist.", Key=key, VersionId=version_id)


class PermanentRedirect(Fault, status=301):
    """The bucket is in another Region."""


class BucketAlreadyOwnedByYou(Fault, status=409):
    """The account has the bucket already."""


class BucketNotEmpty(Fault, status=409):
    """Objects, or versions of objects, are left."""


class InvalidBucketName(Fault, status=400):
    """The name breaks the naming rules."""


class IllegalLocationConstraintException(Fault, status=400):
    """The Region asked for is not the one that was asked."""


class InvalidArgument(Fault, status=400):
    """A value is not acceptable."""


class InvalidRequest(Fault, status=400):
    """The request does not make sense."""


class NotImplementedByThisCloud(Fault, code="NotImplemented", status=501):
    """AWS offers it, this cloud does not."""


class BadDigest(Fault, status=400):
    """A checksum does not fit the body."""


class InvalidDigest(Fault, status=400):
    """Content-MD5 is no MD5."""


class EntityTooLarge(Fault, status=400):
    """The object is larger than this cloud keeps."""


class InvalidRange(Fault, status=416):
    """No byte of the range is in the object."""


class PreconditionFailed(Fault, status=412):
    """An If- header does not hold."""


class NotModified(Fault, status=304):
    """The client's copy is current."""


class MethodNotAllowed(Fault, status=405):
    """The version is a delete marker."""


class InvalidTag(Fault, status=400):
    """A tag that no customer may set."""


class InvalidStorageClass(Fault, status=400):
    """Only STANDARD is kept."""


class AccessControlListNotSupported(Fault, status=400):
    """Buckets have no ACLs; their owner owns every object."""


class AccessDenied(Fault, status=403):
    """Public access is blocked."""


class MalformedPolicy(Fault, status=400):
    """The bucket policy cannot be used."""


class MalformedXML(Fault, status=400):
    """A document breaks its schema."""


class IllegalVersioningConfigurationException(Fault, status=400):
    """The versioning configuration cannot be used."""


class NotThere(Fault, code="NoSuchConfiguration", status=404):
    """The bucket has no such configuration; the code says which."""

    def __init__(self, code: str, message: str, bucket: str) -> None:
        super().__init__(message, BucketName=bucket)
        self.code = code  # type: ignore[misc]
