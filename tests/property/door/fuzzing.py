"""How long to fuzz: a moment with the other tests, a long time in `make soak` (marker `soak`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SOAK_EXAMPLES = int(os.environ.get("OUTLAST_SOAK_EXAMPLES", "50000"))
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]


def briefly(examples: int) -> Callable[[Any], Any]:
    """With the other tests: the same examples in every run."""
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=_CALM)


def at_length(test: Any) -> Any:
    """The same property for a long time, with fresh examples; collected under a name of its own."""
    inner = settings(max_examples=SOAK_EXAMPLES, deadline=None, suppress_health_check=_CALM, print_blob=True)(test)
    return pytest.mark.soak(pytest.mark.timeout(3600)(inner))
