"""boto3 clients as the kit uses them: one attempt, short timeouts. The kit owns its retries; nobody waits unseen.

https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.outcome import UsageError

Kind = Literal["local", "aws"]
Result = TypeVar("Result")

HASTY: Final = Config(connect_timeout=0.5, read_timeout=1.5)
AGREES_S: Final = 5.0
"""Clocks that differ by less are taken to agree: answers take their time, and tell whole seconds."""
LOCAL_KEY: Final = "AKIALOCAL"
MODELS: Final = str(Path(__file__).parents[1] / "models")
PASSING: Final = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

STRANGER: Final = frozenset(
    {
        "AuthFailure",
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RequestExpired",
        "SSOTokenLoadError",
        "SignatureDoesNotMatch",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    }
)
"""Codes, AWS's and botocore's, which say that these credentials are wrong, expired or not there.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
"""
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
"""Codes which say that these credentials are known, and may not."""


class Clients:
    """Clients by service and Region, made once and shared by threads.

    Raises UsageError when local credentials would go to AWS, or AWS's to a local world: the two never mix.
    """

    def __init__(
        self,
        session: boto3.Session,
        kind: Kind,
        *,
        endpoint_url: str | None = None,
        ca_path: str | None = None,
        connect_timeout_s: float = 1.0,
        read_timeout_s: float = 5.0,
    ) -> None:
        check_target(session, kind, endpoint_url)
        self.kind: Kind = kind
        self._session = session
        if kind == "local":
            add_models(session)
        self._endpoint_url = endpoint_url
        self._verify: str | None = ca_path
        self._config = Config(
            connect_timeout=connect_timeout_s,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=20,
            user_agent_extra="outlast",
        )
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str, str], Any] = {}
        self._ahead_s: dict[str, float] = {}

    @property
    def session(self) -> boto3.Session:
        """The session that the clients are made of."""
        return self._session

    def of(self, service: str, region: str, endpoint_url: str | None = None) -> Any:
        """The client of `service` for `region`; `endpoint_url` for the endpoints of an ARC cluster.

        Those are waited for but a moment: there are four others.
        """
        url = endpoint_url or self._endpoint_url or ""
        key = (service, region, url)
        with self._lock:
            if key not in self._made:
                made: Any = self._session.client(
                    service,  # type: ignore[call-overload]
                    region_name=region,
                    endpoint_url=url or None,
                    verify=self._verify,
                    config=self._config.merge(HASTY) if endpoint_url else self._config,
                )
                made.meta.events.register("after-call", partial(self._note_date, region))
                self._made[key] = made
            return self._made[key]

    def ahead_s(self, region: str) -> float:
        """Seconds by which this machine's clock is ahead of the Region's, by the `Date` of its last answer; 0 while
        they agree to within some seconds, and before it has answered."""
        found = self._ahead_s.get(region, 0.0)
        return found if abs(found) > AGREES_S else 0.0

    def _note_date(self, region: str, http_response: Any, **_: Any) -> None:
        with suppress(
            LookupError, AttributeError, TypeError, ValueError, OverflowError
        ):  # no answer, or one without a date
            told_s = parsedate_to_datetime(http_response.headers["Date"]).timestamp()
            self._ahead_s[region] = time.time() - told_s


def difference(ahead_s: float) -> str:
    """How far a clock is off, in words that another's name follows; empty where they agree."""
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'}" if ahead_s else ""


def add_models(session: boto3.Session) -> None:
    """Let the session make clients of the local world's own API (`outlast`): conflicts, stranded writes, links."""
    paths = session._session.get_component("data_loader").search_paths
    if MODELS not in paths:
        paths.append(MODELS)


def check_target(session: boto3.Session, kind: Kind, endpoint_url: str | None) -> None:
    """Raise UsageError unless credentials and endpoint belong to the same target."""
    found = session.get_credentials()
    local_key = found is not None and str(found.access_key).startswith(LOCAL_KEY)
    if kind == "aws" and endpoint_url:
        raise UsageError(f"The target is AWS, but calls would go to {endpoint_url}: unset AWS_ENDPOINT_URL.")
    if kind == "aws" and local_key:
        raise UsageError("These are credentials of a local world; they are never sent to AWS. Choose a profile.")
    if kind == "local" and not endpoint_url:
        raise UsageError("The target is a local world, but no endpoint is known: start it with `outlast up`.")


def error_code(error: BaseException) -> str:
    """The service's error code, or the name of what went wrong before the service answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed when it is made again."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return error_code(error) in PASSING or status in (429, 500, 502, 503, 504)
    return isinstance(error, BotoCoreError) and error_code(error) not in STRANGER


def again(
    call: Callable[[], Result],
    *,
    tries: int = 5,
    pause_s: float = 0.2,
    passing: Callable[[BaseException], bool] = may_pass,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Make a call that may be repeated, up to `tries` times, the pause doubling; the last error is raised."""
    for left in range(tries - 1, -1, -1):
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not left or not passing(error):
                raise
            sleep(pause_s)
            pause_s *= 2
    raise AssertionError("unreachable")
