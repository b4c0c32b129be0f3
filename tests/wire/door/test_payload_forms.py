"""The ways a payload may be sent to S3: presigned, unsigned, chunked with and without signatures, with trailers."""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import urllib.request
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from botocore.config import Config

from outlast.cloud.identity.sigv4 import signing_key
from tests.conftest import SECRET, World
from tests.wire.door.raw import Answer, Sent, send, signed, trusting

BUCKET = "payload-forms"
EMPTY = sha256(b"").hexdigest()
BODY = bytes(range(256)) * 600


@pytest.fixture(scope="module")
def s3(world: World) -> Iterator[Any]:
    client = world.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)


def stored(s3: Any, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def fetch(world: World, url: str, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """As a program without AWS's SDK would."""
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, context=trusting(world), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_presigned_urls_work_for_programs_without_credentials(world: World, s3: Any) -> None:
    signer = world.client("s3", config=Config(signature_version="s3v4"))
    put = signer.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "a b/ü"}, ExpiresIn=60)
    assert fetch(world, put, "PUT", BODY)[0] == 200
    get = signer.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "a b/ü"}, ExpiresIn=60)
    assert fetch(world, get) == (200, BODY)
    status, body = fetch(world, get.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    assert fetch(world, get, "DELETE")[0] == 403
    typed = signer.generate_presigned_url(
        "put_object", {"Bucket": BUCKET, "Key": "typed", "ContentType": "image/png"}, ExpiresIn=60
    )
    assert fetch(world, typed, "PUT", b"x", **{"Content-Type": "text/plain"})[0] == 403
    assert fetch(world, typed, "PUT", b"x", **{"Content-Type": "image/png"})[0] == 200


def test_a_presigned_url_of_a_session_ends_with_its_key(world: World, s3: Any) -> None:
    given = world.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    signer = world.client(
        "s3",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(signature_version="s3v4"),
    )
    s3.put_object(Bucket=BUCKET, Key="session", Body=b"1")
    url = signer.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "session"}, ExpiresIn=60)
    assert fetch(world, url) == (200, b"1")
    cut = url.partition("&X-Amz-Security-Token=")
    status, _ = fetch(world, cut[0] + cut[2][cut[2].index("&") :])
    assert status == 403


def test_an_unsigned_payload_is_taken_by_s3_alone(world: World, s3: Any) -> None:
    loose = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    put = signed(world, "PUT", f"/{BUCKET}/loose", service="s3", headers=loose, body=b"first")
    assert send(world, put).status == 200
    changed = Sent(put.method, put.target, put.headers, b"other")
    assert send(world, changed).status == 200
    assert stored(s3, "loose") == b"other"
    target = {"X-Amz-Target": "DynamoDB_20120810.ListTables", **loose}
    elsewhere = send(world, signed(world, headers=target, body=b"{}"))
    assert (elsewhere.status, elsewhere.code) == (400, "InvalidSignatureException")


def test_a_hash_that_is_not_the_bodys_is_told(world: World, s3: Any) -> None:
    put = signed(world, "PUT", f"/{BUCKET}/hash", service="s3", body=b"first")
    answer = send(world, Sent(put.method, put.target, put.headers, b"other"))
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")


# aws-chunked, made by hand


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def chunked(
    world: World, key: str, form: str, body: bytes, trailer: str = "", value: str = "", size: int = 65_536
) -> Sent:
    """A PUT whose body is aws-chunked in one of S3's forms."""
    headers = {
        "x-amz-content-sha256": form,
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
    }
    if trailer:
        headers["x-amz-trailer"] = trailer
    head = signed(world, "PUT", f"/{BUCKET}/{key}", service="s3", headers=headers)
    framed = unsigned_chunks(body, size) if form.startswith("STREAMING-UNSIGNED") else signed_chunks(head, body, size)
    parts, last = framed
    tail = b""
    if trailer:
        tail = f"{trailer}:{value}\r\n".encode()
        if not form.startswith("STREAMING-UNSIGNED"):
            digest = sha256(f"{trailer}:{value}\n".encode()).hexdigest()
            mark = sign(head, "TRAILER", f"{last}\n{digest}")
            tail += f"x-amz-trailer-signature:{mark}\r\n".encode()
    whole = parts + tail + b"\r\n"
    return Sent(head.method, head.target, {**head.headers, "Content-Length": str(len(whole))}, whole)


def unsigned_chunks(body: bytes, size: int) -> tuple[bytes, str]:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n", ""


def sign(head: Sent, kind: str, rest: str) -> str:
    header = head.headers["Authorization"]
    _, date, region, service, _ = header.partition("Credential=")[2].partition(",")[0].split("/")
    text = f"AWS4-HMAC-SHA256-{kind}\n{head.headers['X-Amz-Date']}\n{date}/{region}/{service}/aws4_request\n{rest}"
    return hmac.digest(signing_key(SECRET, date, region, service), text.encode(), "sha256").hex()


def signed_chunks(head: Sent, body: bytes, size: int) -> tuple[bytes, str]:
    previous = head.headers["Authorization"].rpartition("Signature=")[2]
    framed = b""
    for piece in [*(body[at : at + size] for at in range(0, len(body), size)), b""]:
        previous = sign(head, "PAYLOAD", f"{previous}\n{EMPTY}\n{sha256(piece).hexdigest()}")
        framed += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + piece + (b"\r\n" if piece else b"")
    return framed, previous


SIGNED, TRAILED, LOOSE = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
)
CRC = "x-amz-checksum-crc32"


@pytest.mark.parametrize(("form", "trailer"), [(SIGNED, ""), (TRAILED, CRC), (LOOSE, CRC)])
def test_chunked_uploads_arrive_whole(world: World, s3: Any, form: str, trailer: str) -> None:
    answer = send(world, chunked(world, "chunked", form, BODY, trailer, crc32(BODY)))
    assert answer.status == 200, answer.body
    assert stored(s3, "chunked") == BODY
    head = s3.head_object(Bucket=BUCKET, Key="chunked", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == crc32(BODY)
    assert "ContentEncoding" not in head


@pytest.mark.parametrize("form", [TRAILED, LOOSE])
def test_a_trailer_that_does_not_fit_the_body_is_refused(world: World, s3: Any, form: str) -> None:
    answer = send(world, chunked(world, "wrong", form, BODY, CRC, crc32(b"other")))
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="wrong")


def test_a_trailer_that_was_announced_must_come(world: World, s3: Any) -> None:
    good = chunked(world, "announced", LOOSE, BODY, CRC, crc32(BODY))
    cut = good.body[: good.body.rindex(CRC.encode())] + b"\r\n"
    answer = send(world, Sent(good.method, good.target, {**good.headers, "Content-Length": str(len(cut))}, cut))
    assert (answer.status, answer.code) == (400, "MalformedTrailerError")


def changed(request: Sent, at: int) -> Sent:
    body = bytearray(request.body)
    body[at] ^= 1
    return Sent(request.method, request.target, request.headers, bytes(body))


def test_any_changed_byte_of_a_signed_chunk_or_trailer_is_refused(world: World, s3: Any) -> None:
    request = chunked(world, "bytes", TRAILED, b"0123456789" * 4, CRC, crc32(b"0123456789" * 4), size=16)
    assert send(world, request).status == 200
    for at in range(len(request.body)):
        if request.body[at] in b"\r\n" or request.body[at : at + 1] == b"" or at >= len(request.body) - 4:
            continue
        assert 400 <= send(world, changed(request, at)).status < 500, request.body[max(0, at - 10) : at + 10]


def test_a_length_that_is_not_the_decoded_one_is_refused(world: World, s3: Any) -> None:
    headers = {
        "x-amz-content-sha256": LOOSE,
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": "7",
        "x-amz-trailer": CRC,
    }
    head = signed(world, "PUT", f"/{BUCKET}/length", service="s3", headers=headers)
    body = unsigned_chunks(b"123", 10)[0] + f"{CRC}:{crc32(b'123')}\r\n\r\n".encode()
    answer: Answer = send(
        world, Sent(head.method, head.target, {**head.headers, "Content-Length": str(len(body))}, body)
    )
    assert (answer.status, answer.code) == (400, "IncompleteBody")


def test_botocores_own_forms(world: World, s3: Any) -> None:
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        s3.put_object(Bucket=BUCKET, Key="sdk", Body=io.BytesIO(BODY), ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=BUCKET, Key="sdk", ChecksumMode="ENABLED")
        assert got[f"Checksum{algorithm}"]
        assert got["Body"].read() == BODY
    unsigned = world.client("s3", config=Config(s3={"payload_signing_enabled": False}))
    unsigned.put_object(Bucket=BUCKET, Key="sdk", Body=b"loose")
    signed_ = world.client("s3", config=Config(s3={"payload_signing_enabled": True}))
    signed_.put_object(Bucket=BUCKET, Key="sdk", Body=b"tight")
    assert stored(s3, "sdk") == b"tight"


def test_a_body_that_is_compressed_stays_as_it_is(world: World, s3: Any) -> None:
    packed = gzip.compress(BODY)
    s3.put_object(Bucket=BUCKET, Key="packed", Body=packed, ContentEncoding="gzip")
    got = s3.get_object(Bucket=BUCKET, Key="packed")
    assert (got["Body"].read(), got["ContentEncoding"]) == (packed, "gzip")


def test_the_bucket_may_be_in_the_host_name(world: World, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="host/k", Body=b"1")
    host = f"{BUCKET}.s3.us-east-1.amazonaws.com"
    asked = signed(world, "GET", "/host/k", service="s3", host=host)
    assert send(world, asked).body == b"1"
    assert send(world, asked.having(host="other.s3.us-east-1.amazonaws.com")).status == 403
    listed = send(world, signed(world, "GET", "/?list-type=2&prefix=host", service="s3", host=host))
    assert b"<Key>host/k</Key>" in listed.body
