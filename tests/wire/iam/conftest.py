"""IAM and STS in one Region."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.services.iam import iam
from outlast.cloud.services.sts import sts
from tests.wire.iam.inside import Inside, opened


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[Inside]:
    async with opened(tmp_path, iam, sts) as region:
        yield region
