"""The one error of template work."""

from __future__ import annotations


class TemplateFault(Exception):
    """The template, or what it was given, is not valid; the text is AWS's ValidationError message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
