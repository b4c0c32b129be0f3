"""A Region with DynamoDB in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.dynamodb.harness import Cloud, Home


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A cloud of one Region, not started yet."""
    made = Cloud(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def db(cloud: Cloud) -> Home:
    """DynamoDB in us-east-1."""
    return await cloud.start()
