"""ACM's operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.acm.errors import (
    InvalidDomainValidationOptionsException,
    InvalidParameterException,
    InvalidTagException,
    RequestInProgressException,
    TooManyTagsException,
)
from outlast.cloud.services.acm.model import MOST_NAMES, facts_of, is_domain
from outlast.cloud.services.acm.service import CERTIFICATE, acm
from outlast.cloud.services.acm.state import AcmState, Document

AcmCall = Call[AcmState]
KEY_ALGORITHM = "EC_prime256v1"
IDEMPOTENT_S = 3600
MOST_TAGS = 50
_USAGES = {
    "KeyUsages": [{"Name": "DIGITAL_SIGNATURE"}],
    "ExtendedKeyUsages": [
        {"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"},
        {"Name": "TLS_WEB_CLIENT_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.2"},
    ],
}


@acm.operation(resource="*", control_plane=True)
def request_certificate(
    call: AcmCall,
    *,
    domain_name: str,
    validation_method: str = "EMAIL",
    subject_alternative_names: Sequence[str] = (),
    idempotency_token: str = "",
    domain_validation_options: Sequence[Mapping[str, str]] = (),
    key_algorithm: str = KEY_ALGORITHM,
    options: Mapping[str, str] | None = None,
    tags: Sequence[Mapping[str, str]] = (),
) -> Reply:
    """Ask for a certificate; it is issued once the world's DNS has a validation record for each of its names."""
    if validation_method != "DNS":
        raise InvalidParameterException(f"ValidationMethod {validation_method} is not supported by this cloud.")
    if key_algorithm != KEY_ALGORITHM:
        raise InvalidParameterException(f"KeyAlgorithm {key_algorithm} is not supported by this cloud.")
    if (options or {}).get("Export", "DISABLED") != "DISABLED":
        raise InvalidParameterException("Exportable certificates are not supported by this cloud.")
    names = _names(domain_name, subject_alternative_names)
    for option in domain_validation_options:
        if option["DomainName"].lower() not in names or option["ValidationDomain"] != option["DomainName"]:
            raise InvalidDomainValidationOptionsException(
                f"Validation options for {option['DomainName']} do not fit the certificate."
            )
    now_s = int(call.now_s)
    earlier = _same_request(call, idempotency_token, names, now_s)
    if earlier:
        return {"CertificateArn": earlier}
    arn = call.region.arn("acm", f"certificate/{call.region.entropy.uuid()}")
    document = {
        "Domain": names[0],
        "Names": names,
        "Status": "PENDING_VALIDATION",
        "Created": now_s,
        "Token": idempotency_token,
        "Tags": _merged({}, tags),
        "Logging": (options or {}).get("CertificateTransparencyLoggingPreference", "ENABLED"),
    }
    call.state.certificates.put(arn, document)
    return {"CertificateArn": arn}


def _names(domain_name: str, alternatives: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name.lower() for name in (domain_name, *alternatives)))
    for name in names:
        if not is_domain(name):
            raise InvalidParameterException(f"{name} is not a valid domain name.")
    if len(names) > MOST_NAMES:
        raise InvalidParameterException(f"A certificate has at most {MOST_NAMES} names.")
    return names


def _same_request(call: AcmCall, token: str, names: Sequence[str], now_s: int) -> str:
    if token:
        for arn, document in call.state.certificates.items():
            if document["Token"] == token and document["Names"] == names and now_s - document["Created"] < IDEMPOTENT_S:
                return arn
    return ""


def _merged(old: Mapping[str, str], given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    tags = {**old, **{tag["Key"]: tag.get("Value", "") for tag in given}}
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidTagException("Tag keys cannot begin with aws:")
    if len(tags) > MOST_TAGS:
        raise TooManyTagsException(f"A certificate has at most {MOST_TAGS} tags.")
    return tags


def _validation(call: AcmCall, name: str, document: Document) -> dict[str, Any]:
    record = call.state.record_of(name)
    status = {"ISSUED": "SUCCESS", "VALIDATION_TIMED_OUT": "FAILED"}.get(document["Status"], "PENDING_VALIDATION")
    return {
        "DomainName": name,
        "ValidationDomain": name,
        "ValidationStatus": status,
        "ValidationMethod": "DNS",
        "ResourceRecord": {"Name": record.name, "Type": "CNAME", "Value": record.value},
    }


@acm.operation(resource=CERTIFICATE, control_plane=True)
def describe_certificate(call: AcmCall, *, certificate_arn: str) -> Reply:
    """The certificate and the records that validate its names."""
    document = call.state.find(certificate_arn)
    detail: dict[str, Any] = {
        "CertificateArn": certificate_arn,
        "DomainName": document["Domain"],
        "SubjectAlternativeNames": document["Names"],
        "DomainValidationOptions": [_validation(call, name, document) for name in document["Names"]],
        "Status": document["Status"],
        "CreatedAt": document["Created"],
        "Type": "AMAZON_ISSUED",
        "KeyAlgorithm": KEY_ALGORITHM,
        "InUseBy": [],
        "RenewalEligibility": "INELIGIBLE",
        "Options": {"CertificateTransparencyLoggingPreference": document["Logging"], "Export": "DISABLED"},
    }
    if document["Status"] == "ISSUED":
        facts = facts_of(document["Certificate"])
        detail.update(
            IssuedAt=document["Issued"],
            Serial=facts.serial,
            Subject=facts.subject,
            Issuer=facts.issuer,
            NotBefore=facts.not_before_s,
            NotAfter=facts.not_after_s,
            SignatureAlgorithm="SHA256WITHECDSA",
            RenewalEligibility="ELIGIBLE",
            **_USAGES,
        )
    return {"Certificate": detail}


@acm.operation(resource=CERTIFICATE, control_plane=True)
def get_certificate(call: AcmCall, *, certificate_arn: str) -> Reply:
    """The certificate and its chain, PEM; never its key."""
    document = call.state.find(certificate_arn)
    if document["Status"] != "ISSUED":
        raise RequestInProgressException(f"Certificate {certificate_arn} is not issued yet.")
    return {"Certificate": document["Certificate"], "CertificateChain": call.region.certificates.authority_pem}


@acm.operation(resource="*", control_plane=True)
def list_certificates(
    call: AcmCall,
    *,
    certificate_statuses: Sequence[str] = (),
    next_token: str = "",
    max_items: int = 1000,
    sort_by: str = "CREATED_AT",
    sort_order: str = "DESCENDING",
) -> Reply:
    """Certificates of this Region, newest first unless asked otherwise."""
    rows = [
        (document["Created"], arn, document)
        for arn, document in call.state.certificates.items()
        if not certificate_statuses or document["Status"] in certificate_statuses
    ]
    rows.sort(key=lambda row: row[:2], reverse=sort_order == "DESCENDING")
    if next_token and not next_token.isdigit():
        raise InvalidParameterException("The next token is not valid.")
    start = int(next_token) if next_token else 0
    chosen = rows[start : start + max_items]
    reply: dict[str, Any] = {"CertificateSummaryList": [_summary(arn, document) for _, arn, document in chosen]}
    if start + len(chosen) < len(rows):
        reply["NextToken"] = str(start + len(chosen))
    return reply


def _summary(arn: str, document: Document) -> dict[str, Any]:
    issued = document["Status"] == "ISSUED"
    summary = {
        "CertificateArn": arn,
        "DomainName": document["Domain"],
        "SubjectAlternativeNameSummaries": document["Names"],
        "HasAdditionalSubjectAlternativeNames": False,
        "Status": document["Status"],
        "Type": "AMAZON_ISSUED",
        "KeyAlgorithm": KEY_ALGORITHM,
        "InUse": False,
        "RenewalEligibility": "ELIGIBLE" if issued else "INELIGIBLE",
        "CreatedAt": document["Created"],
    }
    if issued:
        summary.update(IssuedAt=document["Issued"], NotAfter=document["NotAfter"])
    return summary


@acm.operation(resource=CERTIFICATE, control_plane=True)
def delete_certificate(call: AcmCall, *, certificate_arn: str) -> Reply:
    """Forget the certificate and its key."""
    call.state.find(certificate_arn)
    call.state.certificates.delete(certificate_arn)
    return {}


@acm.operation(resource=CERTIFICATE, control_plane=True)
def add_tags_to_certificate(call: AcmCall, *, certificate_arn: str, tags: Sequence[Mapping[str, str]]) -> Reply:
    """Set tags."""
    document = call.state.find(certificate_arn)
    call.state.certificates.put(certificate_arn, {**document, "Tags": _merged(document["Tags"], tags)})
    return {}


@acm.operation(resource=CERTIFICATE, control_plane=True)
def remove_tags_from_certificate(call: AcmCall, *, certificate_arn: str, tags: Sequence[Mapping[str, str]]) -> Reply:
    """Remove tags; one that is given with a value goes only if it has that value."""
    document = call.state.find(certificate_arn)
    kept = dict(document["Tags"])
    for tag in tags:
        if tag.get("Value", kept.get(tag["Key"])) == kept.get(tag["Key"]):
            kept.pop(tag["Key"], None)
    call.state.certificates.put(certificate_arn, {**document, "Tags": kept})
    return {}


@acm.operation(resource=CERTIFICATE, control_plane=True)
def list_tags_for_certificate(call: AcmCall, *, certificate_arn: str) -> Reply:
    """Tags."""
    tags = call.state.find(certificate_arn)["Tags"]
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
