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
