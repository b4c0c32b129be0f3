"""Fixtures: the service's packages on the path, a client that never leaves the process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

ROOT = Path(__file__).parents[1]
for folder in (ROOT, ROOT / "canaries"):
    sys.path.insert(0, str(folder))

os.environ.update(
    {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "CUSTOMERS_TABLE": "customers",
        "PRODUCTS_TABLE": "products",
        "ORDERS_TABLE": "orders",
        "BASE_PATH": "v1",
        "POWERTOOLS_METRICS_NAMESPACE": "Orders",
    }
)


@pytest.fixture
def dynamodb() -> Any:
    """A DynamoDB client whose calls are answered by the `stub` fixture."""
    return boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def stub(dynamodb: Any) -> Iterator[Stubber]:
    """Answers for the client, in order; the test fails when one is left over."""
    with Stubber(dynamodb) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
