"""The FIS service of one Region."""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.fis.state import Experiments
from outlast.cloud.services.fis.timers import run_for_ever

fis: Service[Experiments] = Service("fis", open=Experiments, linked=("cloudwatch:DescribeAlarms",), action_prefix="fis")
fis.timer(run_for_ever)
