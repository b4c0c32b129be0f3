"""The service: an endpoint in each of the cluster's Regions.

https://docs.aws.amazon.com/routing-control/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.arc_cluster.state import Endpoint

arc_cluster: Service[Endpoint] = Service("route53-recovery-cluster", open=Endpoint)
