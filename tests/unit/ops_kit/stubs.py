"""boto3 clients whose answers are given beforehand, checked against botocore's models, without a socket."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from outlast.ops.clients import Clients, Kind, add_models


class StubClients(Clients):
    """Clients by service and Region; `stub(service, region)` gives the Stubber to load answers into."""

    def __init__(self, kind: Kind = "local") -> None:
        self.kind: Kind = kind
        self._session = boto3.Session(aws_access_key_id="AKIALOCALSTUB", aws_secret_access_key="x" * 20)
        add_models(self._session)
        self._ahead_s: dict[str, float] = {}
        self._pairs: dict[tuple[str, str], tuple[Any, Stubber]] = {}

    def of(self, service: str, region: str, endpoint_url: str | None = None) -> Any:
        return self._entry(service, region)[0]

    def stub(self, service: str, region: str) -> Stubber:
        return self._entry(service, region)[1]

    def silent(self, service: str, region: str) -> None:
        """Every call to it times out."""

        def refuse(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url=f"https://{region}")

        client, stubber = self._entry(service, region)
        stubber.deactivate()
        client.meta.events.register("before-parameter-build", refuse)

    def used(self) -> None:
        """Every answer that was given beforehand was asked for."""
        for _, stubber in self._pairs.values():
            stubber.assert_no_pending_responses()

    def _entry(self, service: str, region: str) -> tuple[Any, Stubber]:
        key = (service, region)
        if key not in self._pairs:
            config = Config(retries={"total_max_attempts": 1})
            client: Any = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                endpoint_url="https://127.0.0.1:1",
                config=config,
            )
            stubber = Stubber(client)
            stubber.activate()
            self._pairs[key] = (client, stubber)
        return self._pairs[key]
