"""What goes on when Regions, links and answers are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dns.exception
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.conftest import World
from tests.wire.route53.clients import addresses, apply, change, dig, eventually, make_zone
from tests.wire.route53.test_route53_health import Endpoint, endpoint_check

SURVIVORS = ("us-west-2", "us-east-2", "eu-west-1", "ap-northeast-1")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def failover(world: World, endpoint: Endpoint) -> tuple[str, str]:
    """A failover pair on a health check of `endpoint`: the zone's id, the record's name."""
    check_id = endpoint_check(world, endpoint, FailureThreshold=2)
    zone_id, name = make_zone(world)
    primary, secondary = ({"SetIdentifier": role, "Failover": role} for role in ("PRIMARY", "SECONDARY"))
    apply(
        world,
        zone_id,
        change(f"f.{name}", "A", "192.0.2.1", HealthCheckId=check_id, **primary),
        change(f"f.{name}", "A", "192.0.2.2", **secondary),
    )
    return zone_id, f"f.{name}"


def test_answers_and_health_go_on_without_the_control_plane(
    make_world: Callable[..., World], endpoint: Endpoint
) -> None:
    world = make_world("--replication-delay-ms", "none", "--health-interval-s", "0.3")
    zone_id, name = failover(world, endpoint)

    def everywhere(address: str, regions: tuple[str, ...] = SURVIVORS) -> bool:
        return all(addresses(world, name, region=region) == [address] for region in regions)

    eventually(lambda: everywhere("192.0.2.1"))
    world.control("stop-region", region="us-east-1")
    assert everywhere("192.0.2.1")
    with pytest.raises(dns.exception.Timeout):
        dig(world, name, region="us-east-1")
    with pytest.raises((ClientError, EndpointConnectionError)):
        world.client("route53", "us-west-2").list_hosted_zones()
    endpoint.status = 500
    eventually(lambda: everywhere("192.0.2.2"))
    world.control("start-region", region="us-east-1")
    eventually(lambda: everywhere("192.0.2.2", ("us-east-1", *SURVIVORS)))
    endpoint.status = 200
    eventually(lambda: everywhere("192.0.2.1", ("us-east-1", *SURVIVORS)))
    apply(world, zone_id, change(f"late.{name}", "A", "192.0.2.9"))
    assert addresses(world, f"late.{name}", region="ap-northeast-1") == ["192.0.2.9"]


def test_a_region_cut_off_answers_what_it_knows_and_catches_up(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    fault = world.fault("region-isolated", "eu-west-1")
    client = world.client("route53")
    batch = {"Changes": [change(f"www.{name}", "A", "192.0.2.2")]}
    made = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)["ChangeInfo"]
    eventually(lambda: addresses(world, f"www.{name}", region="us-west-2") == ["192.0.2.2"])
    for _ in range(3):
        assert client.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "PENDING"
        assert addresses(world, f"www.{name}", region="eu-west-1") == ["192.0.2.1"]
    world.end_fault(fault)
    eventually(lambda: client.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "INSYNC")
    assert addresses(world, f"www.{name}", region="eu-west-1") == ["192.0.2.2"]
    world.kill("ap-northeast-1")  # a name server that does not run holds nothing up
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.3"))
    world.control("start-region", region="ap-northeast-1")
    assert addresses(world, f"www.{name}", region="ap-northeast-1") == ["192.0.2.3"], "never from its old copy"


def test_changes_reach_every_name_server_within_two_seconds_of_the_default_delay(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    zone_id, name = make_zone(world)
    client = world.client("route53")
    took_s = []
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):  # one change may be late because this machine is
        batch = {"Changes": [change(f"www.{name}", "A", address)]}
        reply = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
        change_id = reply["ChangeInfo"]["Id"]
        took_s.append(eventually(lambda address=address: serves_everywhere(world, f"www.{name}", address)))
        assert client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"
    assert 0.3 < min(took_s) < 2.5


def serves_everywhere(world: World, name: str, address: str) -> bool:
    return all(addresses(world, name, region=each) == [address] for each in world.config.regions)


def test_a_fault_empties_answers_in_its_scope(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    zone_id, name = make_zone(world)
    apply(world, zone_id, change(f"www.{name}", "A", "192.0.2.1"))
    table = "dynamodb.us-east-1.amazonaws.com"
    assert addresses(world, table)
    fault = world.fault("dns-empty", "us-east-1", parameters={"names": [table]})
    assert addresses(world, table) == []
    assert addresses(world, "lambda.us-east-1.amazonaws.com")
    assert addresses(world, table, region="us-west-2")
    assert addresses(world, f"www.{name}")
    world.end_fault(fault)
    assert addresses(world, table)
    fault = world.fault("dns-empty", "us-east-1", parameters={"names": [name]})
    assert addresses(world, f"www.{name}") == []
    world.end_fault(fault)
    assert addresses(world, f"www.{name}")
