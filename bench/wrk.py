"""Load by wrk: pre-signed requests over kept connections, from one thread, on the machine under test."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SCRIPT = """
local requests = {}
local file = io.open("%s", "rb")
while true do
  local length = file:read(8)
  if not length then break end
  requests[#requests + 1] = file:read(tonumber(length))
end
file:close()
local at = %d
request = function()
  at = at + 1
  if at > #requests then at = 1 end
  return requests[at]
end
"""
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class NoLoadGenerator(Exception):
    """wrk is missing and cannot be installed here."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: operations a second, latencies in milliseconds, answers that were no success."""

    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int
    requests: int = 0


def require() -> None:
    """Find wrk, or install the distribution's package; raises NoLoadGenerator."""
    if shutil.which("wrk") is None and shutil.which("apt-get") is not None:
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], capture_output=True, check=False)
    if shutil.which("wrk") is None:
        raise NoLoadGenerator("wrk is not installed: apt-get install wrk")


def signed(url: str, target: str, body: bytes, key: tuple[str, str], service: str, region: str) -> bytes:
    """The request as it goes over the wire."""
    host = urlsplit(url).netloc
    headers = {"host": host, "x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    made = AWSRequest("POST", url, data=body, headers=headers)
    SigV4Auth(Credentials(*key), service, region).add_auth(made)
    lines = [b"POST / HTTP/1.1"]
    lines += [f"{name}: {value}".encode() for name, value in made.headers.items()]
    lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def run(
    url: str, requests: Sequence[bytes], *, connections: int = 16, seconds: float = 5.0, start: int = 0
) -> Measured:
    """Send the requests in turn for `seconds` and return what wrk measured."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "requests", Path(folder) / "load.lua"
        with data.open("wb") as file:
            for each in requests:
                file.write(b"%08d" % len(each) + each)
        script.write_text(SCRIPT % (data, start))
        command = [
            "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s", "--timeout", "10s", "--latency",
            "-s", str(script), url,
        ]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    return parse(output)


def parse(output: str) -> Measured:
    """Read wrk's report."""
    per_s = re.search(r"Requests/sec:\s+([\d.]+)", output)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    requests = re.search(r"(\d+) requests in", output)
    latency = re.search(r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)", output)
    shares = {share: _ms(value, unit) for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)", output)}
    return Measured(
        per_s=float(per_s.group(1)) if per_s else 0.0,
        p50_ms=shares.get("50", 0.0),
        p99_ms=shares.get("99", 0.0),
        max_ms=_ms(*latency.groups()) if latency else 0.0,
        failed=int(failed.group(1) if failed else 0) + sum(int(each) for each in (errors.groups() if errors else ())),
        requests=int(requests.group(1)) if requests else 0,
    )


def _ms(value: str, unit: str) -> float:
    return float(value) * UNITS[unit]
