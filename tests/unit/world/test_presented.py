"""Certificates by name, made anew before they end."""

from __future__ import annotations

import datetime as dt
import os
import ssl
import time
from pathlib import Path

import pytest

from outlast.cloud.world.authority import Authority, server_context
from outlast.cloud.world.presented import MAX_CONTEXTS, PresentedCertificates, Renewed, Trouble
from tests.unit.world.handshake import names_of, shown

DAY_S = 86_400.0


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def certificates(tmp_path: Path, clock: Clock) -> PresentedCertificates:
    authority = Authority.create("test", dt.datetime.now(dt.UTC))
    return PresentedCertificates(authority, tmp_path, ("localhost", "127.0.0.1"), clock)


def ends_s(certificates: PresentedCertificates, name: str | None) -> float:
    return shown(certificates.context(), name).not_valid_after_utc.timestamp()


@pytest.mark.parametrize(
    "name",
    [
        "dynamodb.us-east-1.amazonaws.com",
        "abc123.execute-api.us-west-2.amazonaws.com",
        "d-abc123.execute-api.us-west-2.amazonaws.com",
        "box.with.dots.s3.us-east-1.amazonaws.com",
        "12345678.route53-recovery-cluster.us-west-2.amazonaws.com",
        "lambda.us-east-1.api.aws",
        "localhost",
    ],
)
def test_every_name_of_the_clouds_own_gets_a_certificate(certificates: PresentedCertificates, name: str) -> None:
    seen = shown(certificates.context(), name, certificates.authority_pem)
    assert name in names_of(seen)


def test_other_names_get_one_only_once_it_is_served(certificates: PresentedCertificates) -> None:
    assert "orders.example.com" not in names_of(shown(certificates.context(), "orders.example.com"))
    certificates.serve("orders.example.com", *certificates.issue(("orders.example.com",), 30))
    certificates.serve("*.example.net", *certificates.issue(("*.example.net",), 30))
    shown(certificates.context(), "orders.example.com", certificates.authority_pem)
    shown(certificates.context(), "a.example.net", certificates.authority_pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(certificates.context(), "a.b.example.net", certificates.authority_pem)


@pytest.mark.parametrize("name", ["dynamodb.us-east-1.amazonaws.com", "localhost"])
def test_a_certificate_is_made_anew_before_it_ends(
    certificates: PresentedCertificates, clock: Clock, name: str
) -> None:
    first = ends_s(certificates, name)
    clock.now += 300 * DAY_S
    certificates.renew()
    assert ends_s(certificates, name) == first
    for _ in range(4):
        clock.now += 100 * DAY_S
        certificates.renew()
        assert ends_s(certificates, name) > clock.now + 29 * DAY_S


def test_links_and_the_front_door_too(tmp_path: Path) -> None:
    authority = Authority.create("test", dt.datetime.now(dt.UTC))
    start = time.time()

    def issue(at: float = start) -> object:
        return authority.issue(("x",), dt.datetime.fromtimestamp(at, dt.UTC))

    made = [issue(), issue(start + 380 * DAY_S)]
    context = server_context(made.pop(0), tmp_path)  # type: ignore[arg-type]
    renewed = Renewed(lambda: made.pop(0), context, tmp_path, start)  # type: ignore[return-value, arg-type]
    first = shown(context, "x").serial_number
    assert not renewed.renew(start + 300 * DAY_S)
    assert renewed.renew(start + 380 * DAY_S)
    assert shown(context, "x").serial_number != first
    assert not renewed.renew(start + 381 * DAY_S)


def test_a_skewed_clock_makes_no_certificate_of_the_future(certificates: PresentedCertificates, clock: Clock) -> None:
    clock.now += 6 * 3600
    shown(certificates.context(), "s3.us-east-1.amazonaws.com", certificates.authority_pem)


@pytest.mark.parametrize(("trouble", "why"), [("expired", "expired"), ("wrong", "[Mm]ismatch")])
def test_bad_ones_while_the_fault_lasts(certificates: PresentedCertificates, trouble: Trouble, why: str) -> None:
    name = "dynamodb.us-east-1.amazonaws.com"
    certificates.trouble(trouble)
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        shown(certificates.context(), name, certificates.authority_pem)
    certificates.trouble("")
    shown(certificates.context(), name, certificates.authority_pem)


def test_a_flood_of_names_costs_bounded_memory(certificates: PresentedCertificates) -> None:
    for number in range(MAX_CONTEXTS + 20):
        shown(certificates.context(), f"n{number}.amazonaws.com")
    assert len(certificates._made) == MAX_CONTEXTS


@pytest.mark.parametrize("name", ["a b.amazonaws.com", "x" * 64 + ".amazonaws.com", "$(id).amazonaws.com"])
def test_names_that_are_none_get_the_regions_own(certificates: PresentedCertificates, name: str) -> None:
    troubles: tuple[Trouble, ...] = ("", "expired")
    for trouble in troubles:
        certificates.trouble(trouble)
        try:
            seen = shown(certificates.context(), name)
        except ValueError:
            continue  # the client's own library would not ask for it
        assert names_of(seen) == {"localhost"}


def test_old_protocols_are_refused(certificates: PresentedCertificates) -> None:
    assert certificates.context().minimum_version == ssl.TLSVersion.TLSv1_2
    names = {cipher["name"] for cipher in certificates.context().get_ciphers()}
    assert not [name for name in names if "CBC" in name or "RC4" in name or name[-3:] == "SHA"]


def test_no_key_touches_the_disk(certificates: PresentedCertificates, tmp_path: Path) -> None:
    shown(certificates.context(), "a.amazonaws.com")
    assert os.listdir(tmp_path) == []
