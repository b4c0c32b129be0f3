"""What CreateTable and UpdateTable say about a table: checked as AWS checks it, in its order and words.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import describe
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.names import constraint

MAX_LOCAL = 5
MAX_GLOBAL = 20
MAX_NON_KEY = 100
MAX_INDEX_PARTS = 4
MAX_UNITS = 1_000_000_000_000
VIEWS = frozenset({"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"})
Entry = Mapping[str, Any]


def joined(names: Sequence[str]) -> str:
    """A list as messages show it."""
    return f"[{', '.join(names)}]"


def check_billing(billing: str | None, throughput: Entry | None) -> None:
    """Throughput goes with PROVISIONED and only with it."""
    if billing == "PAY_PER_REQUEST":
        if throughput is not None:
            raise invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        return
    if throughput is None:
        raise invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
    check_throughput(throughput)


def check_throughput(throughput: Entry) -> None:
    """Units have an upper bound."""
    for member in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if throughput[member] > MAX_UNITS:
            raise ValidationException(f"Given value {throughput[member]} for {member} is out of bounds")


def check_warm(asked: Entry, least: Entry, which: str) -> None:
    """Warm throughput only grows; `which` tells whether `least` is what the table has or the least there is."""
    for member in ("ReadUnitsPerSecond", "WriteUnitsPerSecond"):
        if asked.get(member) is not None and asked[member] < least[member]:
            raise invalid(
                f"Requested {member} for WarmThroughput for table is lower than {which} WarmThroughput, decreasing "
                "WarmThroughput is not supported"
            )


def check_table_schema(schema: Sequence[Entry], definitions: Sequence[Entry]) -> None:
    """The table's own key: HASH, then perhaps RANGE, all defined, none twice."""
    if len(schema) > 2:
        shown = ", ".join(
            f"KeySchemaElement(attributeName={each['AttributeName']}, keyType={each['KeyType']})" for each in schema
        )
        raise constraint(f"[{shown}]", "keySchema", "Member must have length less than or equal to 2")
    if len(schema) > len(definitions):
        raise ValidationException("Invalid KeySchema: Some index key attribute have no definition")
    _check_defined(schema, definitions)
    _check_order(schema)


def _check_defined(schema: Sequence[Entry], definitions: Sequence[Entry]) -> None:
    defined = [each["AttributeName"] for each in definitions]
    keys = [each["AttributeName"] for each in schema]
    if any(key not in defined for key in keys):
        raise invalid(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: {joined(keys)}, AttributeDefinitions: {joined(defined)}"
        )


def _check_order(schema: Sequence[Entry]) -> None:
    names = [each["AttributeName"] for each in schema]
    if len(set(names)) != len(names):
        raise ValidationException("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    kinds = [each["KeyType"] for each in schema]
    if kinds[0] != "HASH":
        raise ValidationException("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(kinds) == 2 and kinds[1] != "RANGE":
        raise ValidationException("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")


def check_definitions_used(definitions: Sequence[Entry], schema: Sequence[Entry], indexes: Sequence[Entry]) -> None:
    """Every attribute definition belongs to some key, and each is given once."""
    names = [each["AttributeName"] for each in definitions]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate AttributeName in AttributeDefinitions: {name}")
    used = list(
        dict.fromkeys(each["AttributeName"] for part in (schema, *(e["KeySchema"] for e in indexes)) for each in part)
    )
    if set(names) == set(used):
        return
    if not indexes:
        raise invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: {joined(names)}, keys used: {joined(used)}"
    )


def check_projection(projection: Entry) -> None:
    """ProjectionType is known, and NonKeyAttributes go with INCLUDE."""
    kind = projection.get("ProjectionType")
    if kind is None:
        raise invalid("Unknown ProjectionType: null")
    extra = projection.get("NonKeyAttributes")
    if kind == "INCLUDE":
        if not extra:
            raise invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        if len(set(extra)) != len(extra):
            twice = next(name for name in extra if extra.count(name) > 1)
            raise invalid(f"Duplicate value in attribute name: {twice}")
    elif extra is not None:
        raise invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")


def check_local_indexes(indexes: Sequence[Entry], schema: Sequence[Entry], definitions: Sequence[Entry]) -> None:
    """Local indexes share the table's partition key and have a sort key of their own."""
    if not indexes:
        raise invalid("List of LocalSecondaryIndexes is empty")
    if len(schema) != 2:
        raise invalid(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    hash_name = schema[0]["AttributeName"]
    for index in indexes:
        own = index["KeySchema"]
        _check_defined(own, definitions)
        _check_order(own[:2])
        if len(own) != 2:
            raise invalid(f"Index KeySchema does not have a range key for index: {index['IndexName']}")
        if own[0]["AttributeName"] != hash_name:
            raise invalid(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{index['IndexName']}. index hash key: {own[0]['AttributeName']}, table hash key: {hash_name}"
            )
        check_projection(index["Projection"])
    if len(indexes) > MAX_LOCAL:
        raise invalid(f"Number of LocalSecondaryIndexes exceeds per-table limit of {MAX_LOCAL}")


def check_global_index(index: Entry, definitions: Sequence[Entry], billing: str | None) -> None:
    """One global index: up to four attributes in each part of its key, throughput as the table is billed."""
    own = index["KeySchema"]
    _check_defined(own, definitions)
    check_index_parts(own)
    check_projection(index["Projection"])
    throughput = index.get("ProvisionedThroughput")
    if billing == "PAY_PER_REQUEST":
        if throughput is not None:
            raise invalid(
                f"ProvisionedThroughput should not be specified for index: {index['IndexName']} when BillingMode is "
                "PAY_PER_REQUEST"
            )
    elif throughput is None:
        raise invalid(f"ProvisionedThroughput is not specified for index: {index['IndexName']}")
    else:
        check_throughput(throughput)


def check_index_parts(schema: Sequence[Entry]) -> None:
    """One to four HASH elements, then up to four RANGE elements, no attribute twice."""
    kinds = [each["KeyType"] for each in schema]
    if len(kinds) <= 2 and kinds.count("HASH") <= 1:
        _check_order(schema)
        return
    names = [each["AttributeName"] for each in schema]
    if kinds[0] != "HASH":
        raise ValidationException("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if kinds != sorted(kinds):
        raise ValidationException("Invalid KeySchema: All HASH key elements must come before RANGE key elements")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValidationException(f"Invalid KeySchema: Duplicate attribute name in the KeySchema: {twice}")
    for kind in ("HASH", "RANGE"):
        if kinds.count(kind) > MAX_INDEX_PARTS:
            raise ValidationException(
                f"Invalid KeySchema: The number of {kind} key elements exceeds the limit of {MAX_INDEX_PARTS}"
            )


def check_global_indexes(indexes: Sequence[Entry], definitions: Sequence[Entry], billing: str | None) -> None:
    """The global indexes of a new table."""
    if not indexes:
        raise invalid("List of GlobalSecondaryIndexes is empty")
    for index in indexes:
        check_global_index(index, definitions, billing)
    if len(indexes) > MAX_GLOBAL:
        raise invalid(f"GlobalSecondaryIndex count exceeds the per-table limit of {MAX_GLOBAL}")


def check_index_names(indexes: Sequence[Entry]) -> None:
    """No index name twice, and no more than 100 attributes projected by name in all."""
    seen = set()
    for index in indexes:
        if index["IndexName"] in seen:
            raise invalid(f"Duplicate index name: {index['IndexName']}")
        seen.add(index["IndexName"])
    extra = sum(len(index["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if extra > MAX_NON_KEY:
        raise invalid(
            f"Number of NonKeyAttributes across all indexes exceeds the limit of {MAX_NON_KEY}. Given: {extra}"
        )


def check_stream(stream: Entry) -> None:
    """A stream that is enabled has a view type, one that is not has none."""
    if stream["StreamEnabled"]:
        if stream.get("StreamViewType") is None:
            raise invalid("StreamViewType is required when StreamEnabled is true")
    elif stream.get("StreamViewType") is not None:
        raise invalid("StreamViewType cannot be specified when StreamEnabled is false")


def check_new_table(params: Entry) -> None:
    """Everything CreateTable can refuse from the request alone; raises ValidationException."""
    if params.get("AttributeDefinitions") is None:
        raise ValidationException(
            "1 validation error detected: Value null at 'attributeDefinitions' failed to satisfy constraint: "
            "Member must not be null"
        )
    definitions, schema = params["AttributeDefinitions"], params.get("KeySchema") or []
    if not schema:
        raise ValidationException("One or more parameter values were invalid: KeySchema must not be empty")
    billing = params.get("BillingMode")
    check_billing(billing, params.get("ProvisionedThroughput"))
    check_table_schema(schema, definitions)
    if params.get("WarmThroughput") is not None:
        check_warm(params["WarmThroughput"], describe.warm({**params, "WarmThroughput": None}), "minimum")
    local, global_ = params.get("LocalSecondaryIndexes"), params.get("GlobalSecondaryIndexes")
    if local is not None:
        check_local_indexes(local, schema, definitions)
    if global_ is not None:
        check_global_indexes(global_, definitions, billing)
    indexes = [*(local or ()), *(global_ or ())]
    check_index_names(indexes)
    check_definitions_used(definitions, schema, indexes)
    if params.get("StreamSpecification") is not None:
        check_stream(params["StreamSpecification"])
