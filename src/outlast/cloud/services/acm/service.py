"""The ACM service. https://docs.aws.amazon.com/acm/latest/APIReference/Welcome.html"""

from __future__ import annotations

from outlast.cloud.contract import Service
from outlast.cloud.services.acm.resources import RESOURCE_TYPES
from outlast.cloud.services.acm.state import AcmState

acm: Service[AcmState] = Service("acm", open=AcmState, resource_types=RESOURCE_TYPES)

CERTIFICATE = "{CertificateArn}"
POLL_S = 1.0


@acm.timer
async def issue(state: AcmState) -> None:
    """Present what is issued; then look, every second, whether anything can be issued or must be renewed."""
    state.serve_all()
    clock = state.region.clock
    while True:
        state.advance(int(clock.now_s()))
        await clock.sleep(POLL_S)
