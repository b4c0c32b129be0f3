"""The files that an enclosed program sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlast.cloud.enclosure import view
from outlast.cloud.enclosure.view import View, resolver_text, switch_text, write_files

MACHINES = "search example.net\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions rotate\n"


def make(tmp_path: Path, *, alone: bool = False) -> View:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\nworld\n-----END CERTIFICATE-----\n")
    return View(
        ("127.66.0.11", "127.66.0.12", "127.66.0.13"), str(authority), str(tmp_path / "exec" / "a"), alone=alone
    )


def test_the_worlds_servers_are_asked_first_and_the_machines_after_them(tmp_path: Path) -> None:
    text = resolver_text(make(tmp_path), MACHINES)
    servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver")]
    assert servers == ["127.66.0.11", "127.66.0.12", "10.0.0.1"]
    assert "search example.net" in text


def test_an_isolated_program_asks_the_world_alone(tmp_path: Path) -> None:
    text = resolver_text(make(tmp_path, alone=True), MACHINES)
    assert "10.0.0" not in text
    assert "search" not in text
    assert text.count("nameserver") == 3


def test_names_come_from_servers_whatever_the_machine_does() -> None:
    machines = "passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files dns myhostname\n"
    assert switch_text(machines) == "passwd: files systemd\nhosts: files dns\n"
    assert switch_text("passwd: files\n").endswith("hosts: files dns\n")


def test_the_authority_is_trusted_beside_the_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tmp_path / "usual.crt"
    usual.write_text("-----BEGIN CERTIFICATE-----\nusual\n-----END CERTIFICATE-----")
    monkeypatch.setattr(view, "BUNDLES", (str(usual), str(tmp_path / "missing.crt")))
    one = make(tmp_path)
    seen = {target: source for source, target in write_files(one)}
    bundle = Path(seen[str(usual)])
    assert bundle.read_text().count("BEGIN CERTIFICATE") == 2
    assert bundle.stat().st_mode & 0o077 == 0
    assert {Path(one.variables()[name]) for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE")} == {bundle}


def test_files_that_are_as_they_should_be_are_left_alone(tmp_path: Path) -> None:
    one = make(tmp_path)
    write_files(one)
    before = (Path(one.folder) / "resolv.conf").stat().st_ino
    write_files(one)
    assert (Path(one.folder) / "resolv.conf").stat().st_ino == before
