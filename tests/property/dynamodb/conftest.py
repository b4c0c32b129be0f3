"""Hypothesis settings for these tests: a busy machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dynamodb", deadline=None)
settings.load_profile("dynamodb")
