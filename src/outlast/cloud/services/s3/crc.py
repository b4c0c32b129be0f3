"""CRC-32C and CRC-64/NVME, which Python's library lacks. Pure.

A CRC is linear, so a byte of the message may be struck out when what it would have become `m` bytes later is added
there. The first half of a message is struck out at once: each byte of that contribution is a table look-up in the
message's bytes, which `bytes.translate` does for all of them. A megabyte takes milliseconds, a loop over its bytes
would take a tenth of a second.

https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-64-nvme
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

SHORT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Crc:
    """A reflected CRC whose register begins with all ones and whose result is inverted."""

    width_bytes: int
    polynomial: int
    """Reflected, without its highest term."""

    def digest(self, body: bytes) -> bytes:
        """The CRC of the body, big-endian."""
        width = self.width_bytes
        ones = (1 << 8 * width) - 1
        left, size = int.from_bytes(body, "little") ^ ones, len(body) + width
        while size > SHORT_BYTES:
            step = 1 << (((size - width + 1) // 2).bit_length() - 1)
            head = (left & ((1 << 8 * step) - 1)).to_bytes(step, "little")
            left >>= 8 * step
            for place, table in enumerate(_tables(self, step)):
                left ^= int.from_bytes(head.translate(table), "little") << 8 * place
            size -= step
        first = _tables(self, 1)
        while size > width:
            low = left & 0xFF
            left >>= 8
            for place, table in enumerate(first):
                left ^= table[low] << 8 * place
            size -= 1
        return (left ^ ones).to_bytes(width, "big")


CRC32C = Crc(4, 0x82F63B78)
CRC64NVME = Crc(8, 0x9A6C9329AC4BC9B5)


@lru_cache(maxsize=64)
def _advance(crc: Crc, step: int) -> tuple[int, ...]:
    """What each bit of the register has become after `step` (a power of two) bytes of zeros."""
    if step == 1:
        return tuple(_after_a_byte(crc, 1 << bit) for bit in range(8 * crc.width_bytes))
    half = _advance(crc, step // 2)
    return tuple(_sum(half, value) for value in half)


def _after_a_byte(crc: Crc, register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ (crc.polynomial if register & 1 else 0)
    return register


def _sum(basis: tuple[int, ...], value: int) -> int:
    total = 0
    for bit, image in enumerate(basis):
        if value >> bit & 1:
            total ^= image
    return total


@lru_cache(maxsize=64)
def _tables(crc: Crc, step: int) -> tuple[bytes, ...]:
    """For each byte of the register: what a byte of the message adds to it `step` bytes later."""
    basis = _advance(crc, step)[:8]
    images = [_sum(basis, byte).to_bytes(crc.width_bytes, "little") for byte in range(256)]
    return tuple(bytes(image[place] for image in images) for place in range(crc.width_bytes))
