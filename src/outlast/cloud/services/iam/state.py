"""What IAM keeps: users, roles, managed policies and access keys, on shelves that every Region holds.

Documents are written in the control plane's Region only and follow to the others, so that every Region verifies
signatures and judges requests from its own copy, also while the control plane is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outlast.cloud.contract import Region, Shelf
from outlast.cloud.contract.catching_up import CatchingUp
from outlast.cloud.identity.credentials import SessionTokens
from outlast.cloud.services.iam import managed
from outlast.cloud.services.iam.errors import NoSuchEntity
from outlast.cloud.services.iam.standings import Standings

Document = dict[str, Any]
DEFAULT_MAX_SESSION_S = 3600
HOME = "us-east-1"
"""Where IAM's control plane is, in a world that has this Region."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Users and roles have much in common; this is what differs in words."""

    noun: str
    title: str


USER = Kind("user", "User")
ROLE = Kind("role", "Role")


class IamState:
    """The shelves, and the standings that every request is judged by."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.account_id = region.account_id
        self.users = Shelf(region, "iam/users", spread=True)
        self.roles = Shelf(region, "iam/roles", spread=True)
        self.policies = Shelf(region, "iam/policies", spread=True)
        self.keys = Shelf(region, "iam/keys", spread=True)
        self.tokens = SessionTokens(region.secret)
        settings = region.settings
        root = (str(settings.get("root_access_key_id", "")), str(settings.get("root_secret_access_key", "")))
        self.identities = Standings(self, self.account_id, root, self.tokens)
        shelves = {"users": self.users, "roles": self.roles, "policies": self.policies, "keys": self.keys}
        for shelf in shelves.values():
            shelf.on_change(lambda _key, _document: self.identities.forget())
        home = str(settings.get("control_home", {}).get("iam", HOME))
        self.catching_up = CatchingUp(region, "iam.digests", home, shelves)

    def shelf(self, kind: Kind) -> Shelf:
        """The shelf of users or of roles."""
        return self.users if kind is USER else self.roles

    def find(self, kind: Kind, name: str) -> Document:
        """The user or role; raises NoSuchEntity."""
        document = self.shelf(kind).get(name)
        if document is None:
            raise NoSuchEntity(f"The {kind.noun} with name {name} cannot be found.")
        return document

    def save(self, kind: Kind, document: Document) -> None:
        """Write the user or role."""
        self.shelf(kind).put(document["Name"], document)

    def arn(self, noun: str, name: str, path: str = "/") -> str:
        """The ARN of a user, role or policy with this path."""
        return f"arn:aws:iam::{self.account_id}:{noun}{path}{name}"

    def arn_of(self, kind: Kind, name: str) -> str:
        """The ARN, with the path of the one that exists."""
        document = self.shelf(kind).get(name)
        return self.arn(kind.noun, name) if document is None else str(document["Arn"])

    # ---- what the standings ask

    def user(self, name: str) -> Document | None:
        """The user's document."""
        return self.users.get(name)

    def role(self, name: str) -> Document | None:
        """The role's document."""
        return self.roles.get(name)

    def key(self, access_key_id: str) -> Document | None:
        """The access key's document."""
        return self.keys.get(access_key_id)

    def policy_text(self, arn: str) -> str | None:
        """The default version of a managed policy, AWS's or the account's own."""
        document = self.policies.get(arn)
        if document is None:
            return managed.document(arn)
        return str(document["Versions"][document["Default"]]["Document"])
