"""Templates: from text to a blueprint that says what should exist. Pure: no clock, no calls, no state."""

from __future__ import annotations

from outlast.cloud.services.cloudformation.template.bind import Blueprint, Environment, Wanted, bind
from outlast.cloud.services.cloudformation.template.document import Template, read_template
from outlast.cloud.services.cloudformation.template.faults import TemplateFault
from outlast.cloud.services.cloudformation.template.text import parse_text

__all__ = [
    "Blueprint",
    "Environment",
    "Template",
    "TemplateFault",
    "Wanted",
    "bind",
    "parse_text",
    "read_template",
]
