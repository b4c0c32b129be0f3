"""What a service is and what it may rely on: Service, Call, Reply, Fault, Region."""

from __future__ import annotations

from outlast.cloud.contract.call import Call, Caller, Principal, Reply
from outlast.cloud.contract.fault import (
    AccessDeniedException,
    Fault,
    InternalServerError,
    RemoteFault,
    ServiceUnavailable,
    ThrottlingException,
    ValidationException,
)
from outlast.cloud.contract.faults import ActiveFault, ActiveFaults, FaultBoard, FaultSpec
from outlast.cloud.contract.meter import Drained, Meter, Series, SeriesKey
from outlast.cloud.contract.region import (
    Addresses,
    Certificates,
    Decision,
    Identities,
    KeyOwner,
    Region,
)
from outlast.cloud.contract.resources import Calls, Made, ResourceType, Stack, registry
from outlast.cloud.contract.service import Declared, Door, DoorCall, Misdeclared, Service
from outlast.cloud.contract.shelf import Shelf

__all__ = [
    "AccessDeniedException",
    "ActiveFault",
    "ActiveFaults",
    "Addresses",
    "Call",
    "Caller",
    "Calls",
    "Certificates",
    "Decision",
    "Declared",
    "Door",
    "DoorCall",
    "Drained",
    "Fault",
    "FaultBoard",
    "FaultSpec",
    "Identities",
    "InternalServerError",
    "KeyOwner",
    "Made",
    "Meter",
    "Misdeclared",
    "Principal",
    "Region",
    "RemoteFault",
    "Reply",
    "ResourceType",
    "Series",
    "SeriesKey",
    "Service",
    "ServiceUnavailable",
    "Shelf",
    "Stack",
    "ThrottlingException",
    "ValidationException",
    "registry",
]
