"""Carrying out what a blueprint wants: the order, the wire calls, the way back."""

from __future__ import annotations
