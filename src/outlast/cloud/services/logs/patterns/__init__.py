"""Filter patterns: which log events match, and what they hold. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

from outlast.cloud.services.logs.patterns.compile import Pattern, PatternFault, compile_pattern

__all__ = ["Pattern", "PatternFault", "compile_pattern"]
