"""Metric data: buckets of values, kept durable and bounded."""

from __future__ import annotations
