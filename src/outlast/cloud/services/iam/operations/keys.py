"""Access keys of users."""

from __future__ import annotations

from typing import Any

from outlast.cloud.contract import Reply
from outlast.cloud.identity.credentials import KEY_ID_ENTROPY_BYTES, SECRET_ENTROPY_BYTES, key_id, secret_key
from outlast.cloud.services.iam import rules
from outlast.cloud.services.iam.errors import LimitExceeded, NoSuchEntity
from outlast.cloud.services.iam.operations.entities import IamCall
from outlast.cloud.services.iam.operations.users import caller_name
from outlast.cloud.services.iam.pages import DEFAULT_ITEMS, page
from outlast.cloud.services.iam.service import iam, user_arn
from outlast.cloud.services.iam.state import USER


def _keys(call: IamCall, user_name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(key, document) for key, document in call.state.keys.items() if document["UserName"] == user_name]


def _key(call: IamCall, user_name: str, access_key_id: str) -> dict[str, Any]:
    document = call.state.keys.get(access_key_id)
    if document is None or document["UserName"] != (user_name or caller_name(call)):
        raise NoSuchEntity(f"The Access Key with id {access_key_id} cannot be found.")
    return document


def _shape(row: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    access_key_id, document = row
    return {
        "UserName": document["UserName"],
        "AccessKeyId": access_key_id,
        "Status": document["Status"],
        "CreateDate": document["Created"],
    }


@iam.operation(resource=user_arn)
def create_access_key(call: IamCall, *, user_name: str = "") -> Reply:
    """A new pair for the user (the caller when none is named); the secret is shown this once."""
    name = call.state.find(USER, user_name or caller_name(call))["Name"]
    if len(_keys(call, name)) >= rules.KEYS_LIMIT:
        raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {rules.KEYS_LIMIT}")
    entropy = call.region.entropy
    access_key_id = key_id(entropy.token(KEY_ID_ENTROPY_BYTES))
    secret = secret_key(entropy.token(SECRET_ENTROPY_BYTES))
    document = {"UserName": name, "Secret": secret, "Status": "Active", "Created": int(call.now_s)}
    call.state.keys.put(access_key_id, document)
    return {"AccessKey": {**_shape((access_key_id, document)), "SecretAccessKey": secret}}


@iam.operation(resource=user_arn)
def list_access_keys(call: IamCall, *, user_name: str = "", marker: str = "", max_items: int = DEFAULT_ITEMS) -> Reply:
    """The user's keys without their secrets, in pages."""
    name = call.state.find(USER, user_name or caller_name(call))["Name"]
    rows = [(row[0], row) for row in _keys(call, name)]
    return page("AccessKeyMetadata", rows, marker, max_items, _shape)


@iam.operation(resource=user_arn)
def update_access_key(call: IamCall, *, access_key_id: str, status: str, user_name: str = "") -> Reply:
    """Make a key active or inactive."""
    document = _key(call, user_name, access_key_id)
    call.state.keys.put(access_key_id, {**document, "Status": status})
    return {}


@iam.operation(resource=user_arn)
def delete_access_key(call: IamCall, *, access_key_id: str, user_name: str = "") -> Reply:
    """Remove a key."""
    _key(call, user_name, access_key_id)
    call.state.keys.delete(access_key_id)
    return {}
