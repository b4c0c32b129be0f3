"""Requests signed by botocore, the oracle of the signature tests."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW_S = 1_769_904_000  # 2026-02-01T00:00:00Z
KEY_ID = "AKIALOCALAAAAAAAAAAA"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@dataclass(frozen=True, slots=True)
class Req:
    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_header(self, name: str, value: str) -> Req:
        return replace(self, headers={**self.headers, name: value})

    def without_header(self, name: str) -> Req:
        return replace(self, headers={k: v for k, v in self.headers.items() if k != name})


def signed(
    request: Req,
    *,
    service: str = "dynamodb",
    region: str = "us-east-1",
    key_id: str = KEY_ID,
    secret: str = SECRET,
    token: str | None = None,
    now_s: float = NOW_S,
    presigned_s: int | None = None,
) -> Req:
    """The request as botocore would send it."""
    host = request.headers.get("host", "localhost:4566")
    url = f"http://{host}{request.path}" + (f"?{request.query}" if request.query else "")
    headers = {k: v for k, v in request.headers.items() if k != "host"}
    aws = AWSRequest(method=request.method, url=url, headers=headers, data=request.body)
    credentials = Credentials(key_id, secret, token)
    s3 = service == "s3"
    auth: SigV4Auth
    if presigned_s is not None:
        auth = (S3SigV4QueryAuth if s3 else SigV4QueryAuth)(credentials, service, region, expires=presigned_s)
    else:
        auth = (S3SigV4Auth if s3 else SigV4Auth)(credentials, service, region)
    moment = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        auth.add_auth(aws)
    parts = urlsplit(str(aws.url))
    sent = {"host": host}
    for name in dict.fromkeys(aws.headers):
        sent[name.lower()] = ",".join(aws.headers.get_all(name) or ())
    return Req(request.method, parts.path, parts.query, sent, request.body)
