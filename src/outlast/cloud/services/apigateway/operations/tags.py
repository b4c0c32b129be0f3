"""Tags of APIs, stages and domain names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway.errors import BadRequestException, LimitExceededException
from outlast.cloud.services.apigateway.operations.common import Document, operation
from outlast.cloud.services.apigateway.state import ApiState

MAX_TAGS: Final = 50
_ARN: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:apigateway:[a-z0-9-]+::/(?:restapis/(?P<api>[^/]+)(?:/stages/(?P<stage>[^/]+))?|domainnames/(?P<domain>[^/]+))"
)


def _tagged(state: ApiState, arn: str) -> tuple[Document, Callable[[Document], None]]:
    """What an ARN names, and how it is stored again; raises BadRequestException or NotFoundException."""
    match = _ARN.fullmatch(unquote(arn))
    if match is None:
        raise BadRequestException("Invalid ARN specified in the request")
    if match["domain"]:
        return state.domain(match["domain"]), state.put_domain
    if match["stage"]:
        return state.stage(match["api"], match["stage"]), state.put_stage
    return state.api(match["api"]), state.put_api


@operation()
def tag_resource(call: Call[ApiState], *, resource_arn: str, tags: Mapping[str, str]) -> Reply:
    """Add or change tags."""
    document, store = _tagged(call.state, resource_arn)
    merged = {**(document.get("tags") or {}), **tags}
    if len(merged) > MAX_TAGS:
        raise LimitExceededException(f"A resource has at most {MAX_TAGS} tags")
    store({**document, "tags": merged})
    return {}


@operation()
def untag_resource(call: Call[ApiState], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    document, store = _tagged(call.state, resource_arn)
    kept = {key: value for key, value in (document.get("tags") or {}).items() if key not in tag_keys}
    store({**document, "tags": kept})
    return {}


@operation()
def get_tags(call: Call[ApiState], *, resource_arn: str) -> Reply:
    """The tags of an API, a stage or a domain name."""
    document, _ = _tagged(call.state, resource_arn)
    return {"tags": dict(document.get("tags") or {})}
