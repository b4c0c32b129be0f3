"""A program's own view of the machine: names answered by the world, its authority trusted, no other route if so wished.

Linux namespaces, as root or unprivileged; nothing here touches what other programs see. It knows nothing of the cloud:
whoever encloses a program says which name servers, which authority and which addresses.
"""

from __future__ import annotations

from outlast.cloud.enclosure.enter import Unable, enter, probe
from outlast.cloud.enclosure.view import View

__all__ = ["Unable", "View", "enter", "probe"]
