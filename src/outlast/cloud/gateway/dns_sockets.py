"""The sockets of a name server: one for TCP, and several for UDP that share its port.

Where Linux allows it, the kernel hands datagrams out by their sender's address, so each UDP socket has the queue of its
share of all clients. A flood from one address overflows one queue, and clients of the others lose nothing; with one
queue for all, a flood takes their place too. Elsewhere there is one socket, as there always may be.

SO_REUSEPORT and SO_ATTACH_REUSEPORT_CBPF: https://man7.org/linux/man-pages/man7/socket.7.html
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
import sys
from contextlib import ExitStack, suppress
from typing import Final

QUEUES: Final = 16
QUEUE_BYTES: Final = 512 << 10
"""What the kernel keeps for one queue before datagrams are lost; it counts about 750 bytes for a small one."""

ATTACH_PROGRAM: Final = 51
"""SO_ATTACH_REUSEPORT_CBPF, which Python does not name."""
NETWORK_HEADER: Final = 0xFFF00000
"""SKF_NET_OFF: where classic BPF finds the IP header."""
LOAD, KEEP, ADD, MULTIPLY, SHIFT_RIGHT, MODULO, RETURN = 0x20, 0x07, 0x0C, 0x24, 0x74, 0x94, 0x16
SPREAD: Final = 0x9E3779B1
"""A multiplier that spreads neighbouring addresses over all queues (Knuth, TAOCP 3, section 6.4)."""


def bind(host: str, port: int) -> tuple[list[socket.socket], socket.socket]:
    """The UDP sockets and a listening TCP socket on the same port; port 0 finds one that all have free.

    TCP comes first: it shares its port with nobody, so neither do the others. Raises OSError.
    """
    attempts = 1 if port else 16
    while True:
        with ExitStack() as unless_done:
            try:
                tcp = unless_done.enter_context(_listen(host, port))
                chosen = int(tcp.getsockname()[1])
                udp = [unless_done.enter_context(_datagrams(host, chosen)) for _ in range(queues())]
            except OSError:
                attempts -= 1
                if not attempts:
                    raise
                continue
            _hand_out_by_sender(udp)
            unless_done.pop_all()
            return udp, tcp


def queues() -> int:
    """How many UDP sockets share a port here."""
    return QUEUES if sys.platform == "linux" else 1


def queue_of(address: str) -> int:
    """Which of the queues the datagrams of an address come to: what the kernel is told to compute."""
    packed = ipaddress.ip_address(address).packed
    number = sum(int.from_bytes(packed[at : at + 4], "big") for at in range(0, min(len(packed), 8), 4))
    return ((number * SPREAD & 0xFFFFFFFF) >> 16) % queues()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listen(host: str, port: int) -> socket.socket:
    with ExitStack() as unless_done:
        tcp = unless_done.enter_context(socket.socket(_family(host), socket.SOCK_STREAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((host, port))
        tcp.listen(128)
        tcp.setblocking(False)
        unless_done.pop_all()
        return tcp


def _datagrams(host: str, port: int) -> socket.socket:
    with ExitStack() as unless_done:
        udp = unless_done.enter_context(socket.socket(_family(host), socket.SOCK_DGRAM))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
        if queues() > 1:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        udp.bind((host, port))
        udp.setblocking(False)
        unless_done.pop_all()
        return udp


def _hand_out_by_sender(udp: list[socket.socket]) -> None:
    """Let the sender's address alone decide: an IPv4 address, or the network half of an IPv6 one.

    A kernel that takes no program decides by both ends' addresses and ports.
    """
    if len(udp) == 1:
        return
    if udp[0].family == socket.AF_INET:
        number = [(LOAD, NETWORK_HEADER + 12)]
    else:
        number = [(LOAD, NETWORK_HEADER + 8), (KEEP, 0), (LOAD, NETWORK_HEADER + 12), (ADD, 0)]
    steps = [*number, (MULTIPLY, SPREAD), (SHIFT_RIGHT, 16), (MODULO, len(udp)), (RETURN, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", code, 0, 0, value) for code, value in steps))
    told = struct.pack("HP", len(steps), ctypes.addressof(program))
    with suppress(OSError):
        udp[0].setsockopt(socket.SOL_SOCKET, ATTACH_PROGRAM, told)
