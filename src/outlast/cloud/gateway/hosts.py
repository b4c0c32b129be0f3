"""What a Host header says: the service, the Region, and for S3 the bucket.

https://docs.aws.amazon.com/general/latest/gr/rande.html and, for buckets in host names,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from outlast.cloud.wire import Request

SUFFIXES: Final = (".amazonaws.com", ".api.aws")
REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
S3_HEAD: Final = re.compile(r"s3(?:[.-](?:dualstack|fips|external-1|[a-z]{2}(?:-[a-z]+)+-\d))*")
ALIASES: Final = {"ddb": "dynamodb", "s3-control": "s3"}


@dataclass(frozen=True, slots=True)
class Host:
    """`service` is an endpoint prefix; each part is empty where the name does not say it."""

    service: str = ""
    region: str = ""
    bucket: str = ""


NOWHERE: Final = Host()


@lru_cache(maxsize=2048)
def read(header: str) -> Host:
    """The parts of a Host header; all empty for a name that is not AWS's."""
    name = header.rpartition(":")[0] if re.search(r":\d+$", header) else header
    name = name.lower().rstrip(".")
    suffix = next((each for each in SUFFIXES if name.endswith(each)), None)
    if suffix is None:
        return NOWHERE
    name = name[: -len(suffix)]
    bucket, _, head = name.rpartition(".s3") if ".s3" in name else ("", "", "")
    if bucket and S3_HEAD.fullmatch("s3" + head):
        return Host("s3", _region_in("s3" + head), bucket)
    if S3_HEAD.fullmatch(name):
        return Host("s3", _region_in(name))
    labels = name.split(".")
    region = next((label for label in reversed(labels) if REGION.fullmatch(label)), "")
    rest = [label for label in labels if label != region and not label.isdigit()]
    service = ".".join(rest) if region == labels[-1] or not region else rest[0] if rest else ""
    return Host(ALIASES.get(service, service), region)


def _region_in(head: str) -> str:
    found = REGION.search(head)
    return found[0] if found else ""


def path_of(request: Request) -> Request:
    """The request with the bucket of its host name in its path, as S3's operations are addressed."""
    bucket = read(request.headers.get("host", "")).bucket
    if not bucket:
        return request
    return Request(request.method, f"/{bucket}{request.path}", request.query, request.headers, request.body)
