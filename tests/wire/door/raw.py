"""Requests as bytes: signed by botocore, changed at will, sent over a socket, answers taken apart."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import httptools
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import ACCESS_KEY, SECRET, World

ROOT = Credentials(ACCESS_KEY, SECRET)
JSON = "application/x-amz-json-1.0"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request ready to be written."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    def wire(self) -> bytes:
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{self.method} {self.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + self.body

    def having(self, **headers: str | None) -> Sent:
        """With headers set (underscores read as dashes) or, where None, taken away."""
        kept = dict(self.headers)
        for name, value in headers.items():
            kept = {key: old for key, old in kept.items() if key.lower() != name.replace("_", "-")}
            if value is not None:
                kept[name.replace("_", "-")] = value
        return replace(self, headers=kept)


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, whatever form the body has."""
        if self.body.startswith(b"{"):
            return str(self.document.get("__type", "")).rpartition("#")[2]
        text = self.body.decode()
        return text.partition("<Code>")[2].partition("</Code>")[0]


class _Reader:
    """Collects one response."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.answer.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def address_of(world: World, region: str = "us-east-1") -> tuple[str, int]:
    return world.config.hosts[region], world.config.port


def trusting(world: World) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(world.folder / "ca.pem"))


def send(world: World, data: Sent | bytes, region: str = "us-east-1", *, tls: bool = False) -> Answer:
    """Write the bytes and read one answer; status 0 when the connection closed without one."""
    wire = data.wire() if isinstance(data, Sent) else data
    with socket.create_connection(address_of(world, region), 10) as plain:
        connection = trusting(world).wrap_socket(plain, server_hostname="localhost") if tls else plain
        connection.sendall(wire)
        return read_answer(connection, head=wire.startswith(b"HEAD "))


def read_answer(connection: socket.socket, *, head: bool = False) -> Answer:
    reader = _Reader()
    parser = httptools.HttpResponseParser(reader)
    while not reader.complete:
        data = connection.recv(65_536)
        if not data:
            break
        parser.feed_data(data)
        if head and reader.answer.headers:
            break
    if reader.answer.headers or reader.complete:
        reader.answer.status = parser.get_status_code()
    return reader.answer


class _FormOfS3(S3SigV4Auth):
    """Keeps the form of the payload that the request names."""

    def payload(self, request: Any) -> str:
        return str(request.context.get("form") or super().payload(request))


def signed(
    world: World,
    method: str = "POST",
    path: str = "/",
    *,
    service: str = "dynamodb",
    region: str = "us-east-1",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    credentials: Credentials = ROOT,
    at: datetime.datetime | None = None,
    presigned_s: int | None = None,
    to: str = "",
    host: str = "",
) -> Sent:
    """A request as botocore would send it to the Region `to` (the one it is signed for unless given)."""
    host = host or "{}:{}".format(*address_of(world, to or region))
    made = AWSRequest(method=method, url=f"http://{host}{path}", headers=dict(headers or {}), data=body)
    made.context["form"] = made.headers.get("x-amz-content-sha256")
    s3 = service == "s3"
    auth: Any
    if presigned_s is not None:
        kind = S3SigV4QueryAuth if s3 else SigV4QueryAuth
        auth = kind(credentials, service, region, expires=presigned_s)
    else:
        auth = (_FormOfS3 if s3 else SigV4Auth)(credentials, service, region)
    moment = at or datetime.datetime.now(datetime.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment.replace(tzinfo=None)):
        auth.add_auth(made)
    parts = urlsplit(str(made.url))
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": host}
    for name in dict.fromkeys(made.headers):
        sent[name] = ",".join(made.headers.get_all(name) or ())
    if body:
        sent["Content-Length"] = str(len(body))
    return Sent(method, target, sent, body)


def dynamodb(world: World, operation: str = "ListTables", body: bytes = b"{}", **more: Any) -> Sent:
    """A signed call of DynamoDB."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": JSON}
    return signed(world, headers=headers, body=body, **more)


def query(world: World, service: str, fields: str, **more: Any) -> Sent:
    """A signed call of a query API such as STS."""
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return signed(world, headers=headers, body=fields.encode(), service=service, **more)
