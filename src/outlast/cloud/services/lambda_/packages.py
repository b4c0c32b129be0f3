"""Deployment packages: what a zip file must be before it is kept.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (deployment package size)
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Final

from outlast.cloud.services.lambda_.errors import InvalidParameterValueException, RequestTooLargeException

MAX_INLINE_BYTES: Final = 50 * 1024 * 1024
MAX_UNZIPPED_BYTES: Final = 262_144_000
_FIXED_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """A zip file that can be unpacked. `key` names it in storage; `sha256` is what the API shows (base64)."""

    archive: bytes
    key: str
    sha256: str
    size_bytes: int


def read(archive: bytes, *, inline: bool) -> Package:
    """Check an archive; raises InvalidParameterValueException or RequestTooLargeException with AWS's texts."""
    if inline and len(archive) > MAX_INLINE_BYTES:
        raise RequestTooLargeException(
            f"Request must be smaller than {MAX_INLINE_BYTES} bytes for the CreateFunction operation"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
            unzipped = sum(info.file_size for info in bundle.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    if unzipped == 0:
        raise InvalidParameterValueException("Uploaded file must be a non-empty zip")
    if unzipped > MAX_UNZIPPED_BYTES:
        raise InvalidParameterValueException(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")
    digest = hashlib.sha256(archive).digest()
    return Package(archive, digest.hex(), base64.b64encode(digest).decode(), len(archive))


def of_text(name: str, text: str) -> bytes:
    """A zip with one file; the same text gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        info = zipfile.ZipInfo(name, _FIXED_DATE)
        info.external_attr = 0o644 << 16
        bundle.writestr(info, text)
    return buffer.getvalue()
