"""The AWS Health service of one Region."""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.health.state import Events
from outlast.cloud.services.health.timers import tell_for_ever

health: Service[Events] = Service("health", open=Events.open)
health.timer(tell_for_ever)
