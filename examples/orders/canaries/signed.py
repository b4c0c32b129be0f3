"""Signed HTTPS requests for the canaries: what a customer's client does, and nothing more.

A Region checks signatures made for itself only, so the Region is asked for first (GET /ping needs no signature).
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

http = urllib3.PoolManager(ca_certs=os.environ.get("AWS_CA_BUNDLE"), maxsize=1, retries=False)


class CheckFailed(Exception):
    """The service did not do what a customer expects of it."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `elapsed_ms` runs from sending the request to the last byte."""

    status: int
    body: dict[str, Any]
    elapsed_ms: float


class Service:
    """The order service at `base`, for example https://orders.example.com/v1."""

    def __init__(self, base: str, timeout_s: float = 5.0, slowest_ms: float = 1500.0) -> None:
        self._base = base.rstrip("/")
        self._timeout_s = timeout_s
        self._slowest_ms = slowest_ms
        self._region = ""

    def region(self) -> str:
        """The Region that answers, by its own word. Asked once."""
        if not self._region:
            answer = self._send("GET", f"{self._base}/ping", {}, None)
            self._region = str(answer.body.get("region", ""))
            if answer.status != 200 or not self._region:
                raise CheckFailed(f"GET /ping answered {answer.status} and no Region")
        return self._region

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Send a signed request. Raises CheckFailed when the answer takes longer than it may."""
        url = self._base + path
        data = None if body is None else json.dumps(body).encode()
        signed = AWSRequest(method, url, headers={"content-type": "application/json"}, data=data or b"")
        credentials = boto3.Session().get_credentials()
        if credentials is None:
            raise CheckFailed("the canary has no credentials")
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.region()).add_auth(signed)
        answer = self._send(method, url, dict(signed.headers.items()), data)
        if answer.elapsed_ms > self._slowest_ms:
            raise CheckFailed(f"{method} {path} took {answer.elapsed_ms:.0f} ms")
        return answer

    def _send(self, method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        started = time.monotonic()
        try:
            reply = http.request(method, url, headers=headers, body=data, timeout=self._timeout_s)
        except urllib3.exceptions.HTTPError as error:
            raise CheckFailed(f"{method} {url}: {type(error).__name__}") from error
        elapsed_ms = (time.monotonic() - started) * 1000
        try:
            parsed = json.loads(reply.data or b"{}")
        except ValueError:
            parsed = {}
        return Answer(reply.status, parsed if isinstance(parsed, dict) else {}, elapsed_ms)


def service_from_environment() -> Service:
    """The service that the canary's environment names: TARGET_URL, TIMEOUT_S, SLOWEST_MS."""
    return Service(
        os.environ["TARGET_URL"],
        timeout_s=float(os.environ.get("TIMEOUT_S", "5")),
        slowest_ms=float(os.environ.get("SLOWEST_MS", "1500")),
    )
