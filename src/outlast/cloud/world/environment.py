"""What a program's environment must hold, and must not, so that it speaks to the world and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from outlast.cloud.world.config import WorldConfig, WorldError

FOREIGN: Final = frozenset(
    {
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
    }
)
"""Variables that would mix other credentials or endpoints with the world's."""


def is_foreign(name: str) -> bool:
    """Whether the variable must not be there beside the world's own."""
    return name in FOREIGN or name.startswith("AWS_ENDPOINT_URL_")


def without_foreign(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would mix other credentials or endpoints with the world's."""
    return {name: value for name, value in environ.items() if not is_foreign(name)}


def environment(config: WorldConfig, region: str) -> dict[str, str]:
    """What the AWS CLI and SDKs need to speak to this world through its front door; raises WorldError."""
    path = config.path / "keys.json"
    try:
        keys = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WorldError(f"{path} cannot be read: {error}.") from error
    folder = config.path
    return {
        "AWS_ENDPOINT_URL": config.front_url,
        "AWS_ACCESS_KEY_ID": keys["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CA_BUNDLE": str(folder / "ca.pem"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "OUTLAST_HOME": config.folder,
    }
