"""S3, with IAM to judge, in one Region."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlast.cloud.services.iam import iam
from outlast.cloud.services.s3 import s3
from outlast.cloud.services.sts import sts
from tests.wire.iam.inside import Inside, opened


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[Inside]:
    async with opened(tmp_path, iam, sts, s3) as region:
        yield region
