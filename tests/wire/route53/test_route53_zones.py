"""Zones and records with boto3, the AWS CLI, dnspython and dig."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import dns.flags
import dns.rcode
import dns.rdatatype
import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.route53.clients import (
    API_ZONES,
    EAST,
    WEST,
    addresses,
    apply,
    change,
    dig,
    eventually,
    fresh_name,
    make_zone,
)


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    error: str = caught.value.response["Error"]["Code"]
    return error


def test_a_zone_is_made_described_listed_and_deleted(world: World) -> None:
    client = world.client("route53")
    name = fresh_name()
    made = client.create_hosted_zone(Name=name, CallerReference=name, HostedZoneConfig={"Comment": "mine"})
    zone_id = made["HostedZone"]["Id"]
    assert zone_id.startswith("/hostedzone/Z")
    assert made["Location"].endswith(zone_id)
    assert made["ChangeInfo"]["Status"] == "PENDING"
    servers = made["DelegationSet"]["NameServers"]
    assert [server.split(".", 2)[2] for server in servers] == ["com", "net", "org", "co.uk"]
    assert len({addresses(world, server)[0] for server in servers}) == 4
    found = client.get_hosted_zone(Id=zone_id)
    assert found["HostedZone"] == {
        "Id": zone_id,
        "Name": f"{name}.",
        "CallerReference": name,
        "Config": {"Comment": "mine", "PrivateZone": False},
        "ResourceRecordSetCount": 2,
    }
    assert zone_id in {zone["Id"] for zone in client.list_hosted_zones()["HostedZones"]}
    first = client.list_hosted_zones(MaxItems="1")
    assert "Marker" not in first, "it repeats what was asked, and nothing was"
    assert client.list_hosted_zones(Marker=zone_id.rpartition("/")[2])["Marker"] == zone_id.rpartition("/")[2]
    assert client.list_hosted_zones_by_name(DNSName=name, MaxItems="1")["HostedZones"][0]["Id"] == zone_id
    assert client.update_hosted_zone_comment(Id=zone_id)["HostedZone"]["Config"] == {"PrivateZone": False}
    client.delete_hosted_zone(Id=zone_id)
    with pytest.raises(ClientError) as caught:
        client.get_hosted_zone(Id=zone_id)
    assert code(caught) == "NoSuchHostedZone"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    eventually(lambda: dig(world, name, "SOA", region="us-west-2").rcode() == dns.rcode.REFUSED)


def test_what_is_refused(world: World) -> None:
    client = world.client("route53")
    name = fresh_name()
    client.create_hosted_zone(Name=name, CallerReference=name)
    refused = [
        ({"Name": name, "CallerReference": name}, "HostedZoneAlreadyExists"),
        ({"Name": "a..b", "CallerReference": "1" + name}, "InvalidDomainName"),
        ({"Name": name, "CallerReference": "2" + name, "HostedZoneConfig": {"PrivateZone": True}}, "InvalidInput"),
        (
            {"Name": name, "CallerReference": "3" + name, "VPC": {"VPCRegion": "us-east-1", "VPCId": "v"}},
            "InvalidInput",
        ),
        ({"Name": "dynamodb.amazonaws.com", "CallerReference": "4" + name}, "InvalidDomainName"),
    ]
    for params, expected in refused:
        with pytest.raises(ClientError) as caught:
            client.create_hosted_zone(**params)
        assert code(caught) == expected


def test_a_zone_with_records_is_not_deleted(world: World) -> None:
    client = world.client("route53")
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    with pytest.raises(ClientError) as caught:
        client.delete_hosted_zone(Id=zone_id)
    assert code(caught) == "HostedZoneNotEmpty"
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1", action="DELETE"))
    assert client.delete_hosted_zone(Id=zone_id)["ChangeInfo"]["Id"].startswith("/change/C")


def test_a_batch_that_does_not_fit_changes_nothing(world: World) -> None:
    client = world.client("route53")
    zone_id, name = make_zone(world)
    with pytest.raises(ClientError) as caught:
        client.change_resource_record_sets(
            HostedZoneId=zone_id,
            ChangeBatch={
                "Changes": [
                    change(f"a.{name}", "A", "192.0.2.1", action="CREATE"),
                    change(f"b.{name}", "A", "192.0.2.1", action="DELETE"),
                ]
            },
        )
    assert code(caught) == "InvalidChangeBatch"
    expected = f"Tried to delete resource record set [name='b.{name}.', type='A'] but it was not found"
    assert caught.value.response["Error"]["Message"] == f"[{expected}]"
    assert len(client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]) == 2


def test_paging_through_records(world: World) -> None:
    client = world.client("route53")
    zone_id, name = make_zone(world)
    apply(world, zone_id, *(change(f"n{n:02d}.{name}", "A", "192.0.2.1") for n in range(12)))
    weighted = [change(f"w.{name}", "A", "192.0.2.1", SetIdentifier=letter, Weight=1) for letter in "abc"]
    apply(world, zone_id, *weighted)
    paginator = client.get_paginator("list_resource_record_sets")
    pages = list(paginator.paginate(HostedZoneId=zone_id, PaginationConfig={"PageSize": 5}))
    found = [(each["Name"], each.get("SetIdentifier")) for page in pages for each in page["ResourceRecordSets"]]
    assert [len(page["ResourceRecordSets"]) for page in pages] == [5, 5, 5, 2]
    assert [each[0] for each in found[2:14]] == [f"n{n:02d}.{name}." for n in range(12)]
    assert [each[1] for each in found[14:]] == ["a", "b", "c"]
    start = client.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=f"w.{name}", StartRecordType="A", StartRecordIdentifier="b"
    )
    assert [each["SetIdentifier"] for each in start["ResourceRecordSets"]] == ["b", "c"]


def test_every_region_answers_every_change(world: World) -> None:
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1", "192.0.2.2"), change(f"*.{name}", "TXT", '"any"'))
    for region in world.config.regions:
        assert addresses(world, f"WWW.{name}", region=region) == ["192.0.2.1", "192.0.2.2"]
        assert dig(world, f"x.{name}", "TXT", region=region, tcp=True).answer[0][0].strings == (b"any",)
        missing = dig(world, f"x.www.{name}", region=region)
        assert (missing.rcode(), missing.authority[0].rdtype) == (dns.rcode.NXDOMAIN, dns.rdatatype.SOA)
        assert dig(world, "example.net", region=region).rcode() == dns.rcode.REFUSED
        assert not dig(world, f"www.{name}", region=region).flags & dns.flags.RA


def alias(name: str, region: str, **more: Any) -> dict[str, Any]:
    target = {
        "HostedZoneId": API_ZONES[region],
        "DNSName": f"d-abcdef.execute-api.{region}.amazonaws.com",
        "EvaluateTargetHealth": True,
    }
    return change(name, "A", AliasTarget=target, SetIdentifier=region, **more)


def test_latency_aliases_lead_each_coast_to_its_region(world: World) -> None:
    zone_id, name = make_zone(world)
    hosts = world.config.hosts
    apply(world, zone_id, *(alias(f"api.{name}", region, Region=region) for region in API_ZONES))
    for region in world.config.regions:
        assert addresses(world, f"api.{name}", region=region, subnet=EAST) == [hosts["us-east-1"]]
        assert addresses(world, f"api.{name}", region=region, subnet=WEST) == [hosts["us-west-2"]]
    reply = dig(world, f"api.{name}", subnet=WEST)
    assert reply.answer[0].ttl == 60
    assert reply.options[0].scopelen == 24
    client = world.client("route53")
    for subnet, region in ((EAST, "us-east-1"), (WEST, "us-west-2")):
        tested = client.test_dns_answer(
            HostedZoneId=zone_id, RecordName=f"api.{name}", RecordType="A", EDNS0ClientSubnetIP=subnet
        )
        assert (tested["RecordData"], tested["ResponseCode"], tested["Protocol"]) == ([hosts[region]], "NOERROR", "UDP")


def test_weights_shift_traffic(world: World) -> None:
    zone_id, name = make_zone(world)
    hosts = world.config.hosts

    def set_weights(east: int, west: int) -> None:
        weights = {"us-east-1": east, "us-west-2": west}
        apply(world, zone_id, *(alias(f"api.{name}", region, Weight=weight) for region, weight in weights.items()))

    set_weights(0, 10)
    assert {addresses(world, f"api.{name}")[0] for _ in range(40)} == {hosts["us-west-2"]}
    set_weights(10, 10)
    shares = [addresses(world, f"api.{name}")[0] for _ in range(200)]
    assert 60 < shares.count(hosts["us-east-1"]) < 140


def test_tags(world: World) -> None:
    client = world.client("route53")
    zone_id, _ = make_zone(world)
    where = {"ResourceType": "hostedzone", "ResourceId": zone_id}
    client.change_tags_for_resource(**where, AddTags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    client.change_tags_for_resource(**where, AddTags=[{"Key": "a", "Value": "3"}], RemoveTagKeys=["b"])
    assert client.list_tags_for_resource(**where)["ResourceTagSet"]["Tags"] == [{"Key": "a", "Value": "3"}]
    sets = client.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[zone_id])["ResourceTagSets"]
    assert sets[0]["ResourceId"] == zone_id
    with pytest.raises(ClientError) as caught:
        client.list_tags_for_resource(ResourceType="hostedzone", ResourceId="Z404")
    assert code(caught) == "NoSuchHostedZone"
    for key, value in (("a*", "1"), ("a", "<x>")):
        with pytest.raises(ClientError, match="Tags can only contain letters, numbers, spaces"):
            client.change_tags_for_resource(**where, AddTags=[{"Key": key, "Value": value}])
    with pytest.raises(ClientError, match=r"'resourceId' failed to satisfy .* less than or equal to 32"):
        client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=f"/hostedzone/{zone_id}")
    with pytest.raises(ClientError, match="No hosted zone found with ID: /hostedzone/Z404"):
        client.change_tags_for_resource(**where | {"ResourceId": "/hostedzone/Z404"}, RemoveTagKeys=["a"])


def test_the_control_plane_is_reached_from_every_region_and_the_front_door(world: World) -> None:
    zone_id, _ = make_zone(world)
    for client in (world.client("route53", "ap-northeast-1"), world.front("route53")):
        assert client.get_hosted_zone(Id=zone_id)["HostedZone"]["Id"].endswith(zone_id)


def test_the_aws_cli(world: World) -> None:
    name = fresh_name()
    made = world.aws("route53", "create-hosted-zone", "--name", name, "--caller-reference", name)
    zone_id = made["HostedZone"]["Id"]
    batch = json.dumps({"Changes": [change(f"www.{name}", "A", "192.0.2.7")]})
    changed = world.aws("route53", "change-resource-record-sets", "--hosted-zone-id", zone_id, "--change-batch", batch)
    world.aws("route53", "wait", "resource-record-sets-changed", "--id", changed["ChangeInfo"]["Id"])
    assert addresses(world, f"www.{name}") == ["192.0.2.7"]


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
def test_dig(world: World) -> None:
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.7"))
    server = world.config.hosts["us-west-2"]
    command = [
        "dig",
        f"@{server}",
        "-p",
        str(world.config.dns_port),
        f"www.{name}",
        "A",
        "+short",
        "+subnet=192.0.2.0/24",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "192.0.2.7"


@pytest.mark.skipif(shutil.which("nsupdate") is None, reason="nsupdate is not installed")
def test_an_update_by_dns_is_told_that_there_is_no_such_thing(world: World) -> None:
    """The client reads the answer as one to its update, and says what it was told."""
    zone_id, name = make_zone(world)
    server = f"server {world.config.hosts['us-east-1']} {world.config.dns_port}"
    words = f"{server}\nzone {name}\nupdate add x.{name} 60 A 192.0.2.1\nsend\n"
    done = subprocess.run(
        ["nsupdate", "-t", "20"], input=words, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "NOTIMP" in done.stderr
    listed = world.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    assert {each["Type"] for each in listed} == {"NS", "SOA"}
