"""CloudTrail's modelled errors. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""

from __future__ import annotations

from outlast.cloud.contract import Fault


class InvalidLookupAttributesException(Fault):
    """The attribute cannot be looked up."""


class InvalidTimeRangeException(Fault):
    """The start lies after the end."""


class InvalidNextTokenException(Fault):
    """The token is none of this Region's."""


class InvalidEventCategoryException(Fault):
    """There are management events only."""


class InvalidMaxResultsException(Fault):
    """A page has one to fifty events."""
