"""From template properties to API parameters."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import templates

KEY = {
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
}


def index(name: str, projection: str = "ALL", **more: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": projection},
        **more,
    }


def test_text_becomes_numbers_and_booleans() -> None:
    params = templates.table_params(
        "things",
        {
            **KEY,
            "ProvisionedThroughput": {"ReadCapacityUnits": "5", "WriteCapacityUnits": 6},
            "DeletionProtectionEnabled": "true",
            "SSESpecification": {"SSEEnabled": "true"},
            "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
        },
    )
    assert params == {
        "TableName": "things",
        **KEY,
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
        "DeletionProtectionEnabled": True,
        "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    }


def test_a_global_table_takes_its_units_from_auto_scaling() -> None:
    settings = {"WriteCapacityAutoScalingSettings": {"MinCapacity": 7, "MaxCapacity": 9}}
    params = templates.table_params(
        "things",
        {
            **KEY,
            "Replicas": [{"Region": "us-east-1"}],
            "BillingMode": "PROVISIONED",
            "WriteProvisionedThroughputSettings": settings,
            "GlobalSecondaryIndexes": [index("a", WriteProvisionedThroughputSettings=settings)],
        },
    )
    assert params["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7}
    assert params["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["WriteCapacityUnits"] == 7


def test_indexes_are_changed_one_at_a_time() -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    before = {"GlobalSecondaryIndexes": [index("a"), index("b"), index("c", ProvisionedThroughput=units)]}
    more = {**units, "ReadCapacityUnits": 2}
    after = {"GlobalSecondaryIndexes": [index("b", "KEYS_ONLY"), index("c", ProvisionedThroughput=more), index("d")]}
    assert list(templates.index_updates(before, after)) == [
        {"Delete": {"IndexName": "a"}},
        {"Delete": {"IndexName": "b"}},
        {"Create": index("b", "KEYS_ONLY")},
        {"Update": {"IndexName": "c", "ProvisionedThroughput": more}},
        {"Create": index("d")},
    ]


def test_a_replica_with_unknown_properties_is_refused_by_name() -> None:
    templates.refuse_unknown({"Region": "us-east-1", "TableClass": "STANDARD"})
    with pytest.raises(ValidationException, match="KinesisStreamSpecification"):
        templates.refuse_unknown({"Region": "us-east-1", "KinesisStreamSpecification": {}})


def test_what_a_replica_has_of_its_own_becomes_an_override_and_the_homes_own_the_tables() -> None:
    reads = {"ReadProvisionedThroughputSettings": {"ReadCapacityAutoScalingSettings": {"MinCapacity": "8"}}}
    few = {"ReadProvisionedThroughputSettings": {"ReadCapacityUnits": 3}}
    home = {
        "Region": "us-east-1",
        **reads,
        "GlobalSecondaryIndexes": [{"IndexName": "a", **few}],
        "SSESpecification": {"KMSMasterKeyId": "east"},
    }
    away = {
        "Region": "us-west-2",
        **few,
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "GlobalSecondaryIndexes": [{"IndexName": "a", **reads}],
        "SSESpecification": {"KMSMasterKeyId": "west"},
    }
    properties = {
        **KEY,
        "BillingMode": "PROVISIONED",
        "Replicas": [home, away],
        "SSESpecification": {"SSEEnabled": True},
        "WriteProvisionedThroughputSettings": {"WriteCapacityAutoScalingSettings": {"MinCapacity": 7}},
        "GlobalSecondaryIndexes": [index("a")],
    }
    params = templates.table_params("things", templates.of_home(properties, "us-east-1"), True)
    assert params["ProvisionedThroughput"] == {"ReadCapacityUnits": 8, "WriteCapacityUnits": 7}
    assert params["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 3,
        "WriteCapacityUnits": 5,
    }
    assert params["SSESpecification"]["KMSMasterKeyId"] == "east"
    assert templates.replica_settings(away) == {
        "ProvisionedThroughputOverride": {"ReadCapacityUnits": 3},
        "TableClassOverride": "STANDARD_INFREQUENT_ACCESS",
        "KMSMasterKeyId": "west",
        "GlobalSecondaryIndexes": [{"IndexName": "a", "ProvisionedThroughputOverride": {"ReadCapacityUnits": 8}}],
    }


def test_limits_of_on_demand_capacity_are_passed_on() -> None:
    properties = {
        **KEY,
        "BillingMode": "PAY_PER_REQUEST",
        "Replicas": [{"Region": "us-east-1", "ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": "50"}}],
        "WriteOnDemandThroughputSettings": {"MaxWriteRequestUnits": 60},
        "GlobalSecondaryIndexes": [index("a", WriteOnDemandThroughputSettings={"MaxWriteRequestUnits": 20})],
    }
    params = templates.table_params("things", templates.of_home(properties, "us-east-1"), True)
    assert params["OnDemandThroughput"] == {"MaxReadRequestUnits": 50, "MaxWriteRequestUnits": 60}
    assert params["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {"MaxWriteRequestUnits": 20}


def test_a_replicas_index_with_unknown_properties_is_refused_by_name() -> None:
    insights = {"IndexName": "a", "ContributorInsightsSpecification": {"Enabled": True}}
    with pytest.raises(ValidationException, match="ContributorInsightsSpecification"):
        templates.refuse_unknown({"Region": "us-east-1", "GlobalSecondaryIndexes": [insights]})
