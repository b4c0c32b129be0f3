"""The CRCs against their published check values, against a bitwise reference, and against AWS's own library."""

from __future__ import annotations

import random

import pytest

from outlast.cloud.services.s3.crc import CRC32C, CRC64NVME, Crc


def slow(crc: Crc, body: bytes) -> bytes:
    ones = register = (1 << 8 * crc.width_bytes) - 1
    for byte in body:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (crc.polynomial if register & 1 else 0)
    return (register ^ ones).to_bytes(crc.width_bytes, "big")


def test_the_check_values_of_the_catalogue() -> None:
    assert CRC32C.digest(b"123456789").hex() == "e3069283"
    assert CRC64NVME.digest(b"123456789").hex() == "ae8b14860a799888"


@pytest.mark.parametrize("crc", [CRC32C, CRC64NVME])
def test_every_length_agrees_with_the_bitwise_way(crc: Crc) -> None:
    generator = random.Random(1)
    for length in (*range(0, 300, 7), 63, 64, 65, 71, 72, 73, 127, 128, 129, 1000, 4097):
        body = generator.randbytes(length)
        assert crc.digest(body) == slow(crc, body), length


def test_awss_library_agrees() -> None:
    library = pytest.importorskip("awscrt.checksums")
    generator = random.Random(2)
    for length in (70_000, 262_144, 1_048_583):
        body = generator.randbytes(length)
        assert int.from_bytes(CRC32C.digest(body), "big") == library.crc32c(body)
        assert int.from_bytes(CRC64NVME.digest(body), "big") == library.crc64nvme(body)
