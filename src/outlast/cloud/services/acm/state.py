"""Certificates of one Region, and how they come to be issued."""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.contract.names import Question, RecordType
from outlast.cloud.services.acm.errors import ResourceNotFoundException
from outlast.cloud.services.acm.model import (
    DAYS,
    RENEW_BEFORE_S,
    VALIDATION_TIMEOUT_S,
    ValidationRecord,
    facts_of,
    validation_record,
    wire_name,
)

Document = dict[str, Any]
_HERE = "127.0.0.1"


class AcmState:
    """Documents by ARN. Private keys are in them; the engine encrypts them, and no operation shows them."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.certificates = Shelf(region, "acm/certificates")

    def find(self, arn: str) -> Document:
        """The certificate; raises ResourceNotFoundException."""
        document = self.certificates.get(arn)
        if document is None:
            account = self.region.account_id
            raise ResourceNotFoundException(f"Could not find certificate {arn} in account {account}.")
        return document

    def record_of(self, domain: str) -> ValidationRecord:
        """The CNAME that validates a domain."""
        return validation_record(domain, self.region.account_id, self.region.secret)

    def is_validated(self, domain: str) -> bool:
        """Whether the world's DNS, as this Region answers it, has the domain's validation record."""
        record = self.record_of(domain)
        question = Question(wire_name(record.name), RecordType.CNAME, _HERE, _HERE)
        wanted = wire_name(record.value)
        return any(
            answered.type == RecordType.CNAME and answered.rdata.lower() == wanted
            for answer in self.region.zones.lookup(question).answers
            for answered in answer.answers
        )

    def serve_all(self) -> None:
        """Present every issued certificate to clients that ask for its names."""
        for _, document in self.certificates.items():
            if document["Status"] == "ISSUED":
                self._serve(document)

    def advance(self, now_s: int) -> int:
        """Issue what has been validated, renew what ends soon, give up what took too long; how many changed."""
        changed = 0
        for arn, document in list(self.certificates.items()):
            pending = document["Status"] == "PENDING_VALIDATION"
            ends_soon = document["Status"] == "ISSUED" and document["NotAfter"] - now_s < RENEW_BEFORE_S
            if (pending or ends_soon) and all(self.is_validated(name) for name in document["Names"]):
                self._issue(arn, document, now_s)
            elif pending and now_s - document["Created"] > VALIDATION_TIMEOUT_S:
                self.certificates.put(arn, {**document, "Status": "VALIDATION_TIMED_OUT"})
            else:
                continue
            changed += 1
        return changed

    def _issue(self, arn: str, document: Document, now_s: int) -> None:
        certificate_pem, key_pem = self.region.certificates.issue(document["Names"], DAYS)
        facts = facts_of(certificate_pem)
        issued = {
            **document,
            "Status": "ISSUED",
            "Issued": now_s,
            "Certificate": certificate_pem,
            "Key": key_pem,
            "NotAfter": facts.not_after_s,
        }
        self.certificates.put(arn, issued)
        self._serve(issued)

    def _serve(self, document: Document) -> None:
        for name in document["Names"]:
            self.region.certificates.serve(name, document["Certificate"], document["Key"])
