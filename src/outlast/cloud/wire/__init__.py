"""The AWS wire protocols: botocore's models compiled to codecs and constraint checks.

The only importer of botocore in the cloud. `load(service)` gives a ServiceModel; `match` finds the Operation of a
request; an Operation decodes, constrains and encodes.
"""

from outlast.cloud.wire.faults import ErrorModel, bare
from outlast.cloud.wire.messages import Request, Response, WireError
from outlast.cloud.wire.model import Http, Member, Operation, ServiceModel, load
from outlast.cloud.wire.names import snake
from outlast.cloud.wire.store import UnknownService

__all__ = [
    "ErrorModel",
    "Http",
    "Member",
    "Operation",
    "Request",
    "Response",
    "ServiceModel",
    "UnknownService",
    "WireError",
    "bare",
    "load",
    "snake",
]
