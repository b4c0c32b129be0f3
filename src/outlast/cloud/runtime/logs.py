"""How a worker writes its log: one line an event, and records that hold several lines kept whole.

A line that starts with RECORD is one event; SPLIT inside it stands for a line feed. Plain output is an event a line,
as on AWS. The root logger's form is that of the Python runtime:
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import logging
import os
import time
from typing import Final

RECORD: Final = b"\x1e"
SPLIT: Final = b"\x1f"

request_id = ""
"""The id of the invocation under way."""


def write_event(text: str) -> None:
    """Write one event, whatever line feeds it has."""
    line = RECORD + text.encode("utf-8", "backslashreplace").rstrip(b"\n").replace(b"\n", SPLIT) + b"\n"
    at = 0
    while at < len(line):
        at += os.write(1, line[at:])


class Handler(logging.Handler):
    """The root logger's only handler."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_event(self.format(record))
        except Exception:
            self.handleError(record)


class _WithRequest(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id
        return True


def set_up() -> None:
    """Give the root logger the runtime's form; its level stays WARNING."""
    handler = Handler()
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(_WithRequest())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)


def decode(line: bytes) -> str:
    """The event a raw log line stands for (without its line feed)."""
    if line.startswith(RECORD):
        line = line[len(RECORD) :].replace(SPLIT, b"\n")
    return line.decode("utf-8", "replace")
