"""A certificate from request to handshake, in a running world."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any

from cryptography import x509

from tests.conftest import World
from tests.wire.door.raw import address_of, trusting


def shown(world: World, name: str, region: str) -> x509.Certificate:
    """The certificate that a client sees who asks for `name`, verified against the world's authority."""
    with socket.create_connection(address_of(world, region), 5) as plain:
        with trusting(world).wrap_socket(plain, server_hostname=name) as connection:
            der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def issued(acm: Any, arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while True:
        certificate: dict[str, Any] = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        if certificate["Status"] == "ISSUED":
            return certificate
        assert time.monotonic() < deadline, certificate
        time.sleep(0.1)


def test_a_certificate_is_validated_by_dns_and_shown_to_those_who_ask_for_its_names(world: World) -> None:
    domain = f"x{uuid.uuid4().hex[:8]}.example"
    route53 = world.client("route53")
    zone = route53.create_hosted_zone(Name=domain, CallerReference=uuid.uuid4().hex)["HostedZone"]["Id"]
    regions = ("us-east-1", "us-west-2")
    arns = {}
    for region in regions:
        arns[region] = world.client("acm", region).request_certificate(
            DomainName=f"api.{domain}", SubjectAlternativeNames=[f"*.api.{domain}"], ValidationMethod="DNS"
        )["CertificateArn"]
    acm = world.client("acm")
    pending = acm.describe_certificate(CertificateArn=arns["us-east-1"])["Certificate"]
    assert pending["Status"] == "PENDING_VALIDATION"
    records = {
        (each["ResourceRecord"]["Name"], each["ResourceRecord"]["Value"]) for each in pending["DomainValidationOptions"]
    }
    changes = [
        {
            "Action": "UPSERT",
            "ResourceRecordSet": {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]},
        }
        for name, value in records
    ]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    for region in regions:
        certificate = issued(world.client("acm", region), arns[region])
        for name in (f"api.{domain}", f"v1.api.{domain}"):
            seen = shown(world, name, region)
            number = f"{seen.serial_number:x}"
            assert certificate["Serial"].replace(":", "").lstrip("0") == number.lstrip("0")
    pem = world.aws("acm", "get-certificate", "--certificate-arn", arns["us-east-1"])
    assert pem["Certificate"].startswith("-----BEGIN CERTIFICATE")
    assert "PRIVATE" not in str(pem)
    for name, value in records:
        route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "DELETE",
                        "ResourceRecordSet": {
                            "Name": name,
                            "Type": "CNAME",
                            "TTL": 60,
                            "ResourceRecords": [{"Value": value}],
                        },
                    }
                ]
            },
        )
    route53.delete_hosted_zone(Id=zone)
    for region in regions:
        world.client("acm", region).delete_certificate(CertificateArn=arns[region])
