"""Alarms: when they change state, and what then happens."""

from __future__ import annotations
