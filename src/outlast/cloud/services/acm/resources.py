"""CloudFormation's AWS::CertificateManager::Certificate, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-certificatemanager-certificate.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException

Properties = Mapping[str, Any]
POLL_S = 0.5
PATIENCE_S = 1800.0
RECORD_TTL_S = 300


class Certificate:
    """Requested, validated in the hosted zones that the template names, and waited for until it is issued.

    As on AWS the validation records stay when the certificate goes: other Regions' certificates use the same ones.
    """

    type_name = "AWS::CertificateManager::Certificate"
    properties = frozenset(
        {
            "CertificateTransparencyLoggingPreference",
            "DomainName",
            "DomainValidationOptions",
            "KeyAlgorithm",
            "SubjectAlternativeNames",
            "Tags",
            "ValidationMethod",
        }
    )

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        params: dict[str, Any] = {
            "DomainName": properties["DomainName"],
            "ValidationMethod": properties.get("ValidationMethod", "EMAIL"),
            "IdempotencyToken": stack.suffix,
        }
        for name in ("KeyAlgorithm", "SubjectAlternativeNames", "Tags"):
            if properties.get(name):
                params[name] = properties[name]
        logging = properties.get("CertificateTransparencyLoggingPreference")
        if logging:
            params["Options"] = {"CertificateTransparencyLoggingPreference": logging}
        arn = (await aws("acm", "RequestCertificate", params))["CertificateArn"]
        zones = {
            option["DomainName"].lower(): option["HostedZoneId"]
            for option in properties.get("DomainValidationOptions", ())
            if "HostedZoneId" in option
        }
        await self._write_records(aws, await self._describe(aws, arn), zones)
        await self._wait(aws, arn)
        return Made(arn, {"Id": arn})

    async def _describe(self, aws: Calls, arn: str) -> dict[str, Any]:
        reply = await aws("acm", "DescribeCertificate", {"CertificateArn": arn})
        return dict(reply["Certificate"])

    async def _write_records(self, aws: Calls, certificate: Mapping[str, Any], zones: Mapping[str, str]) -> None:
        for option in certificate["DomainValidationOptions"]:
            zone = zones.get(option["DomainName"])
            if zone is None:
                continue
            record = option["ResourceRecord"]
            change = {
                "Action": "UPSERT",
                "ResourceRecordSet": {
                    "Name": record["Name"],
                    "Type": record["Type"],
                    "TTL": RECORD_TTL_S,
                    "ResourceRecords": [{"Value": record["Value"]}],
                },
            }
            params = {"HostedZoneId": zone, "ChangeBatch": {"Changes": [change]}}
            await aws("route53", "ChangeResourceRecordSets", params)

    async def _wait(self, aws: Calls, arn: str) -> None:
        waited_s = 0.0
        while True:
            status = (await self._describe(aws, arn))["Status"]
            if status == "ISSUED":
                return
            if status != "PENDING_VALIDATION" or waited_s >= PATIENCE_S:
                raise ValidationException(f"The certificate {arn} was not issued: {status}.")
            await aws.sleep(POLL_S)
            waited_s += POLL_S

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if {**old, "Tags": None} != {**new, "Tags": None}:
            return None
        gone = [tag for tag in old.get("Tags", ()) if tag not in new.get("Tags", ())]
        if gone:
            await aws("acm", "RemoveTagsFromCertificate", {"CertificateArn": physical_id, "Tags": gone})
        if new.get("Tags"):
            await aws("acm", "AddTagsToCertificate", {"CertificateArn": physical_id, "Tags": new["Tags"]})
        return Made(physical_id, {"Id": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        try:
            await aws("acm", "DeleteCertificate", {"CertificateArn": physical_id})
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise


RESOURCE_TYPES: Sequence[ResourceType] = (Certificate(),)
