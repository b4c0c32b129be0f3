"""Objects deleted, one or up to a thousand at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Fault, Region, Reply
from outlast.cloud.services.s3.errors import MalformedXML
from outlast.cloud.services.s3.operations.buckets import S3Call, check_owner
from outlast.cloud.services.s3.selection import check_write
from outlast.cloud.services.s3.service import bucket_arn, deleting, s3

MOST_AT_ONCE = 1000


def _delete(call: S3Call, bucket: str, key: str, version_id: str) -> dict[str, Any]:
    """Remove one version for good, or hide the object; the fields say what was done."""
    objects = call.state.objects
    if version_id:
        version = objects.version(bucket, key, version_id)
        if version is None:
            return {"VersionId": version_id}
        objects.remove(bucket, version)
        return {"VersionId": version_id, **({"DeleteMarker": True} if version.is_marker else {})}
    versioning = call.state.bucket(bucket).get("Versioning")
    if versioning is None:
        current = objects.current(bucket, key)
        if current is not None:
            objects.remove(bucket, current)
        return {}
    marker = objects.mark(bucket, key, call.now_ms, versioned=versioning == "Enabled")
    return {"DeleteMarker": True, "VersionId": marker.version_id}


@s3.operation(resource=deleting)
def delete_object(
    call: S3Call,
    *,
    bucket: str,
    key: str,
    version_id: str = "",
    if_match: str = "",
    expected_bucket_owner: str = "",
) -> Reply:
    """Delete an object; with versioning a delete marker hides it. One that is not there is no error."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    check_write(key, call.state.objects.current(bucket, key), if_match, "")
    return _delete(call, bucket, key, version_id)


def _all_keys(params: Mapping[str, Any], _region: Region) -> list[tuple[str, str]]:
    def action(wanted: Mapping[str, Any]) -> str:
        return "s3:DeleteObjectVersion" if wanted.get("VersionId") else "s3:DeleteObject"

    return [(action(each), f"{bucket_arn(params)}/{each['Key']}") for each in params["Delete"]["Objects"]]


@s3.operation(resource=_all_keys, ignored=("ChecksumAlgorithm",))
def delete_objects(call: S3Call, *, bucket: str, delete: Mapping[str, Any], expected_bucket_owner: str = "") -> Reply:
    """Delete up to a thousand objects; each fails or succeeds alone."""
    check_owner(call, expected_bucket_owner)
    call.state.bucket(bucket)
    wanted = delete["Objects"]
    if len(wanted) > MOST_AT_ONCE:
        raise MalformedXML("The XML you provided was not well-formed or did not validate against our published schema")
    deleted, errors = [], []
    for each in wanted:
        key = each["Key"]
        try:
            check_write(key, call.state.objects.current(bucket, key), each.get("ETag", ""), "")
            done = _delete(call, bucket, key, each.get("VersionId", ""))
        except Fault as fault:
            errors.append({"Key": key, "Code": fault.code, "Message": fault.message})
            continue
        shown = {"Key": key}
        if each.get("VersionId"):
            shown["VersionId"] = each["VersionId"]
        if done.get("DeleteMarker"):
            shown.update(DeleteMarker=True, DeleteMarkerVersionId=done["VersionId"])
        deleted.append(shown)
    quiet = delete.get("Quiet", False)
    return {"Deleted": [] if quiet else deleted, "Errors": errors}
