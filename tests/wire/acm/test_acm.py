"""Certificates over the wire: issued when, and only when, DNS has their validation records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from outlast.cloud.contract import Fault, Stack
from outlast.cloud.contract.names import REFUSED, Answer, Draw, Question, Rcode, Record, RecordType
from outlast.cloud.services.acm import acm
from outlast.cloud.services.acm.model import RENEW_BEFORE_S, VALIDATION_TIMEOUT_S, wire_name
from outlast.cloud.services.acm.resources import Certificate
from outlast.cloud.services.iam import iam
from outlast.cloud.services.sts import sts
from outlast.cloud.world.authority import Authority
from tests.wire.iam.inside import ROOT, Inside, opened
from tests.wire.iam.test_iam import code_of


class Zones:
    """A DNS that knows some CNAMEs."""

    generation = 0

    def __init__(self) -> None:
        self.cnames: dict[bytes, bytes] = {}

    def place(self, address: str) -> str:
        return ""

    def lookup(self, question: Question) -> Draw:
        target = self.cnames.get(question.name)
        if target is None:
            return REFUSED
        return Draw.one(Answer(Rcode.NOERROR, (Record(question.name, RecordType.CNAME, 300, target),)))

    def count(self, queries: Mapping[str, int]) -> None: ...

    def log(self, question: Question, answer: Answer) -> None: ...


class Certificates:
    """The world's authority, and what it was asked to present."""

    def __init__(self, now: Any) -> None:
        self._authority = Authority.create("test", now)
        self._now = now
        self.served: dict[str, str] = {}

    @property
    def authority_pem(self) -> str:
        return self._authority.pair.certificate_pem

    def issue(self, names: Sequence[str], days: int) -> tuple[str, str]:
        pair = self._authority.issue(names, self._now, days=days)
        return pair.certificate_pem, pair.key_pem

    def serve(self, name: str, certificate_pem: str, key_pem: str) -> None:
        self.served[name] = certificate_pem


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[Inside]:
    import datetime

    certificates = Certificates(datetime.datetime.now(datetime.UTC))
    async with opened(tmp_path, iam, sts, acm, names=Zones(), certificates=certificates) as region:
        yield region


def advance(inside: Inside, later_s: float = 0) -> int:
    state = inside.gate.hosted["acm"].state
    return int(state.advance(int(inside.clock.now_s() + later_s)))


def publish(inside: Inside, certificate: Mapping[str, Any]) -> None:
    for option in certificate["DomainValidationOptions"]:
        record = option["ResourceRecord"]
        inside.gate.region.zones.cnames[wire_name(record["Name"])] = wire_name(record["Value"])  # type: ignore[attr-defined]


async def test_a_certificate_is_issued_when_dns_has_its_records(inside: Inside) -> None:
    def request() -> tuple[str, dict[str, Any]]:
        client = inside.client("acm")
        names = ["*.orders.test"]
        arn = client.request_certificate(
            DomainName="orders.test", ValidationMethod="DNS", SubjectAlternativeNames=names, IdempotencyToken="t"
        )["CertificateArn"]
        again = client.request_certificate(
            DomainName="orders.test", ValidationMethod="DNS", SubjectAlternativeNames=names, IdempotencyToken="t"
        )
        assert again["CertificateArn"] == arn
        assert code_of(client.get_certificate, CertificateArn=arn) == "RequestInProgressException"
        return arn, client.describe_certificate(CertificateArn=arn)["Certificate"]

    arn, pending = await inside.play(request)
    assert pending["Status"] == "PENDING_VALIDATION"
    records = [option["ResourceRecord"] for option in pending["DomainValidationOptions"]]
    assert records[0] == records[1]
    assert records[0]["Name"].endswith(".orders.test.")
    assert advance(inside) == 0
    publish(inside, pending)
    assert advance(inside) == 1

    def issued() -> None:
        client = inside.client("acm")
        detail = client.describe_certificate(CertificateArn=arn)["Certificate"]
        assert detail["Status"] == "ISSUED"
        assert [o["ValidationStatus"] for o in detail["DomainValidationOptions"]] == ["SUCCESS", "SUCCESS"]
        got = client.get_certificate(CertificateArn=arn)
        names = x509.load_pem_x509_certificate(got["Certificate"].encode()).extensions
        alternative = names.get_extension_for_class(x509.SubjectAlternativeName).value
        assert alternative.get_values_for_type(x509.DNSName) == ["orders.test", "*.orders.test"]
        assert "PRIVATE" not in str(got)
        assert [c["Status"] for c in client.list_certificates()["CertificateSummaryList"]] == ["ISSUED"]
        client.delete_certificate(CertificateArn=arn)
        assert code_of(client.describe_certificate, CertificateArn=arn) == "ResourceNotFoundException"

    assert set(inside.gate.region.certificates.served) == {"orders.test", "*.orders.test"}  # type: ignore[attr-defined]
    await inside.play(issued)


async def test_a_wrong_record_validates_nothing(inside: Inside) -> None:
    def request() -> dict[str, Any]:
        client = inside.client("acm")
        arn = client.request_certificate(DomainName="a.test", ValidationMethod="DNS")["CertificateArn"]
        return dict(client.describe_certificate(CertificateArn=arn)["Certificate"])

    pending = await inside.play(request)
    record = pending["DomainValidationOptions"][0]["ResourceRecord"]
    inside.gate.region.zones.cnames[wire_name(record["Name"])] = wire_name("elsewhere.test")  # type: ignore[attr-defined]
    assert advance(inside) == 0
    assert advance(inside, VALIDATION_TIMEOUT_S + 60) == 1
    arn = pending["CertificateArn"]
    assert inside.gate.hosted["acm"].state.find(arn)["Status"] == "VALIDATION_TIMED_OUT"


async def test_a_certificate_is_renewed_before_it_ends(inside: Inside) -> None:
    def request() -> dict[str, Any]:
        client = inside.client("acm")
        arn = client.request_certificate(DomainName="a.test", ValidationMethod="DNS")["CertificateArn"]
        return dict(client.describe_certificate(CertificateArn=arn)["Certificate"])

    pending = await inside.play(request)
    publish(inside, pending)
    assert advance(inside) == 1
    state = inside.gate.hosted["acm"].state
    before = state.find(pending["CertificateArn"])
    assert advance(inside) == 0
    assert advance(inside, before["NotAfter"] - inside.clock.now_s() - RENEW_BEFORE_S + 60) == 1
    assert state.find(pending["CertificateArn"])["Certificate"] != before["Certificate"]


async def test_what_is_not_supported_is_refused(inside: Inside) -> None:
    def scene() -> None:
        request = inside.client("acm").request_certificate
        assert code_of(request, DomainName="a.test") == "InvalidParameterException"
        assert code_of(request, DomainName="a.test", ValidationMethod="DNS", KeyAlgorithm="RSA_2048") == (
            "InvalidParameterException"
        )
        assert code_of(request, DomainName="a_b.test", ValidationMethod="DNS") != ""

    await inside.play(scene)


async def test_tags(inside: Inside) -> None:
    def scene() -> None:
        client = inside.client("acm")
        arn = client.request_certificate(
            DomainName="a.test", ValidationMethod="DNS", Tags=[{"Key": "a", "Value": "1"}]
        )["CertificateArn"]
        client.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "b", "Value": "2"}])
        client.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "other"}])
        client.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "b"}])
        assert client.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]

    await inside.play(scene)


class StackCalls:
    """Calls as a stack makes them; Route 53 is played, and time passes only in `sleep`."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self.changes: list[Mapping[str, Any]] = []

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]:
        if service == "route53":
            self.changes.append(params)
            record = params["ChangeBatch"]["Changes"][0]["ResourceRecordSet"]
            target = wire_name(record["ResourceRecords"][0]["Value"])
            self._inside.gate.region.zones.cnames[wire_name(record["Name"])] = target  # type: ignore[attr-defined]
            return {}
        root = self._inside.gate.region.identities.owner(ROOT[0], None, 0).principal
        return await self._inside.gate.region.aws(service, operation, params, principal=root)

    async def sleep(self, seconds: float) -> None:
        advance(self._inside)


STACK = Stack("s", "arn:aws:cloudformation:s", "us-east-1", "111122223333", "Certificate", "ABCDEFGHIJKL")


async def test_a_stack_validates_and_waits(inside: Inside) -> None:
    calls = StackCalls(inside)
    properties = {
        "DomainName": "orders.test",
        "ValidationMethod": "DNS",
        "DomainValidationOptions": [{"DomainName": "orders.test", "HostedZoneId": "Z1"}],
    }
    made = await Certificate().create(calls, properties, STACK)
    assert inside.gate.hosted["acm"].state.find(made.physical_id)["Status"] == "ISSUED"
    assert [change["HostedZoneId"] for change in calls.changes] == ["Z1"]
    assert (await Certificate().create(calls, properties, STACK)).physical_id == made.physical_id
    await Certificate().delete(calls, made.physical_id, properties, STACK)
    await Certificate().delete(calls, made.physical_id, properties, STACK)
    with pytest.raises(Fault):
        inside.gate.hosted["acm"].state.find(made.physical_id)
