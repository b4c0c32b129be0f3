"""A stage for every test of CloudWatch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.cloudwatch.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """CloudWatch with nothing in it."""
    stage = Stage(tmp_path / "data")
    await stage.open()
    yield stage
    await stage.close()
