"""TLS inside a protocol: a connection is sniffed first, so one port serves TLS and, on loopback, plain HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable

RECORD_HANDSHAKE = 0x16
READ_BYTES = 65_536


class TlsFailure(Exception):
    """The handshake or a record is bad; the connection must close."""


def _nowhere(_data: bytes) -> None:
    """Where bytes for a socket that has gone are sent."""


class TlsPump:
    """One server-side TLS session over memory buffers: bytes of the socket in, bytes of the request out."""

    __slots__ = ("_incoming", "_object", "_outgoing", "_send", "agreed", "handshaken")

    def __init__(self, context: ssl.SSLContext, send: Callable[[bytes], None]) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._send = send
        self.handshaken = False
        self.agreed: tuple[str, str] | None = None
        """Protocol and cipher suite, after the handshake."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the socket and return the plain bytes that they hold; raises TlsFailure."""
        self._incoming.write(data)
        try:
            if not self.handshaken and not self._handshake():
                return b""
            return self._read()
        except ssl.SSLError as error:
            self._flush()
            raise TlsFailure(str(error)) from error

    def _handshake(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self.handshaken = True
        self.agreed = (self._object.version() or "", (self._object.cipher() or ("",))[0])
        self._flush()
        return True

    def _read(self) -> bytes:
        pieces = []
        while True:
            try:
                piece = self._object.read(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
                break
            if not piece:
                break
            pieces.append(piece)
        self._flush()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Encrypt `data` and send it."""
        self._object.write(data)
        self._flush()

    def close(self) -> None:
        """Send close_notify when the session stands; a peer that never shook hands gets nothing."""
        if self.handshaken:
            try:
                self._object.unwrap()
            except ssl.SSLError:
                self.handshaken = False
            self._flush()

    def cut(self) -> None:
        """The socket has gone: hold on to nobody who would write to it."""
        self._send = _nowhere

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._send(data)
