"""What the template loads before the first fork, so that no worker pays for it.

One botocore loader serves every session of the process: service models are parsed once, in the template. botocore
does without its native companion `awscrt`, which Lambda's runtime does not have either.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from typing import Final

sys.modules["awscrt"] = None  # type: ignore[assignment]

import boto3  # noqa: E402
import botocore.loaders  # noqa: E402
import botocore.session  # noqa: E402

CLIENTS: Final = ("dynamodb", "sts")
MODULES: Final = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.tracing",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.utilities.typing",
    "boto3.dynamodb.conditions",
    "boto3.dynamodb.types",
    "botocore.auth",
    "botocore.awsrequest",
    "concurrent.futures.thread",
    "decimal",
    "logging.config",
    "traceback",
    "urllib.request",
    "uuid",
)


def share_loader() -> None:
    """Let every botocore session of this process use one loader, with its parsed models."""
    shared = botocore.loaders.create_loader()
    fresh = botocore.loaders.create_loader

    def create_loader(search_path_string: str | None = None) -> botocore.loaders.Loader:
        return fresh(search_path_string) if search_path_string else shared

    botocore.loaders.create_loader = create_loader
    botocore.session.create_loader = create_loader


def warm_up() -> None:
    """Import what handlers use, make a client of each common service, and keep it all out of the collector's way.

    The default session stays, unused: it finds a worker's region, endpoint and credentials when the worker asks.
    """
    share_loader()
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")  # noqa: S106
    for service in CLIENTS:
        session.client(service)
    session.resource("dynamodb")
    del session
    boto3.setup_default_session()
    gc.collect()
    gc.freeze()
