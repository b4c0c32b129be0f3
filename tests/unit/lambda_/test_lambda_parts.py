"""Lambda's pure parts: names, retries, log lines, settings, policies, batches."""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.services.lambda_ import loglines, names, packages, policies, runtimes, settings, shipping
from outlast.cloud.services.lambda_.concurrency import Concurrency
from outlast.cloud.services.lambda_.events import Event, Ran
from outlast.cloud.services.lambda_.loglines import Report
from outlast.cloud.services.lambda_.model import Alias, Function, Version
from outlast.cloud.services.lambda_.names import Reference

REGION, ACCOUNT = "us-east-1", "111122223333"
HEAD = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


@pytest.mark.parametrize(
    ("text", "qualifier", "expected"),
    [
        ("f", None, Reference("f")),
        ("f", "live", Reference("f", "live")),
        ("f:1", None, Reference("f", "1")),
        ("f:$LATEST", "$LATEST", Reference("f", "$LATEST")),
        (f"{ACCOUNT}:function:f", None, Reference("f")),
        (f"{HEAD}:f", None, Reference("f")),
        (f"{HEAD}:f:live", None, Reference("f", "live")),
    ],
)
def test_functions_are_named_in_many_ways(text: str, qualifier: str | None, expected: Reference) -> None:
    assert names.parse(text, qualifier, REGION, ACCOUNT) == expected


@pytest.mark.parametrize(
    ("text", "qualifier", "code"),
    [
        ("f:1", "2", "InvalidParameterValueException"),
        ("no such name!", None, "InvalidParameterValueException"),
        ("x" * 65, None, "InvalidParameterValueException"),
        (f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f", None, "ResourceNotFoundException"),
        ("arn:aws:lambda:us-east-1:999999999999:function:f", None, "ResourceNotFoundException"),
    ],
)
def test_names_that_name_nothing_here(text: str, qualifier: str | None, code: str) -> None:
    with pytest.raises(Fault) as caught:
        names.parse(text, qualifier, REGION, ACCOUNT)
    assert caught.value.code == code


def test_a_failed_event_is_tried_twice_more_after_one_and_two_minutes() -> None:
    event: Event | None = Event("1", "f", None, "r", accepted_ms=0, due_ms=0)
    assert event is not None
    dues = []
    now_ms = 0
    while event is not None:
        event = event.after(Ran.FAILED, now_ms, 2, 21_600)
        if event is not None:
            dues.append(event.due_ms - now_ms)
            now_ms = event.due_ms
    assert dues == [60_000, 120_000]
    assert Event("1", "f", None, "r", 0, 0).after(Ran.DONE, 0, 2, 21_600) is None


def test_a_throttled_event_waits_longer_each_time_until_it_is_too_old() -> None:
    event: Event | None = Event("1", "f", None, "r", accepted_ms=0, due_ms=0)
    pauses, now_ms = [], 0
    while event is not None:
        event = event.after(Ran.REFUSED, now_ms, 2, 3600)
        if event is not None:
            pauses.append((event.due_ms - now_ms) // 1000)
            now_ms = event.due_ms
    assert pauses[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert sum(pauses) <= 3600


def test_the_report_line() -> None:
    line = Report("r", 12.345, 128, 60, 33.3).text()
    assert line == (
        "REPORT RequestId: r\tDuration: 12.35 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 60 MB\tInit Duration: 33.30 ms\t"
    )
    assert Report("r", 1000, 128, 60, None, "timeout").text().endswith("Max Memory Used: 60 MB\tStatus: timeout\t")


def test_the_tail_is_the_last_four_kilobytes() -> None:
    text = base64.b64decode(loglines.tail([(0, "a" * 3000), (0, "b" * 3000)])).decode()
    assert (len(text), text[-1], text.count("b")) == (4096, "\n", 3000)


def test_streams_are_named_by_day_and_version() -> None:
    assert loglines.stream_name(0, "f", "$LATEST", "ab", own_group=True) == "1970/01/01/[$LATEST]ab"
    assert loglines.stream_name(0, "f", "1", "ab", own_group=False) == "1970/01/01/f[1]ab"


def test_batches_stay_within_what_one_call_may_carry() -> None:
    lines = deque((index, "x" * 1000) for index in range(3000))
    sizes = []
    while lines:
        batch = shipping.take_batch(lines)
        sizes.append(len(batch))
        assert sum(len(text) + 26 for _, text in batch) <= shipping.MAX_BYTES
    assert sum(sizes) == 3000
    assert shipping.take_batch(deque([(2, "b"), (1, "a")])) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:27",
        "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64:1",
    ],
)
def test_the_published_powertools_layers_are_accepted(arn: str) -> None:
    assert runtimes.layer_name(arn, REGION) == "powertools"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64",
        "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:27",
        "arn:aws:lambda:us-east-1:111122223333:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:27",
        "arn:aws:lambda:us-east-1:017000801446:layer:Other:1",
    ],
)
def test_other_layers_are_refused(arn: str) -> None:
    with pytest.raises(Fault):
        runtimes.layer_name(arn, REGION)


@pytest.mark.parametrize("given", [{"Timeout": 0}, {"Timeout": 901}, {"MemorySize": 127}, {"Runtime": "python3.8"}])
def test_settings_out_of_bounds_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Fault):
        settings.changes(given, REGION)


def test_principals_of_permissions() -> None:
    assert policies.principal_of(ACCOUNT) == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert policies.principal_of("apigateway.amazonaws.com") == {"Service": "apigateway.amazonaws.com"}
    assert policies.principal_of("*") == "*"
    with pytest.raises(Fault):
        policies.principal_of("nobody")
    made = policies.statement("s", "lambda:InvokeFunction", "*", f"{HEAD}:f", "arn:x", ACCOUNT, None)
    assert made["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        "ArnLike": {"AWS:SourceArn": "arn:x"},
    }


def test_reservations_are_counted_against_the_account() -> None:
    concurrency = Concurrency(limit=102)
    concurrency.reserve("f", 2)
    for _ in range(2):
        concurrency.enter("f")
    with pytest.raises(Fault, match="Rate Exceeded"):
        concurrency.enter("f")
    for _ in range(100):
        concurrency.enter("g")
    with pytest.raises(Fault) as caught:
        concurrency.enter("h")
    assert caught.value.fields["Reason"] == "ConcurrentInvocationLimitExceeded"
    concurrency.leave("g")
    concurrency.enter("h")
    concurrency.leave("f")
    concurrency.enter("f")
    with pytest.raises(Fault):
        concurrency.reserve("g", 1)


def test_an_alias_divides_draws_by_weight() -> None:
    alias = Alias("live", "1", "r", weights={"2": 0.25})
    draws = [alias.choose(step / 100) for step in range(100)]
    assert (draws.count("2"), draws.count("1")) == (25, 75)


def version(**changes: Any) -> Version:
    plain: dict[str, Any] = {
        "name": "f", "number": "$LATEST", "runtime": "python3.11", "role": "r", "handler": "h", "code_key": "k",
        "code_sha256": "s", "code_size": 1, "revision_id": "1", "last_modified": "now",
    }  # fmt: skip
    return Version(**{**plain, **changes})


def test_functions_survive_their_documents() -> None:
    function = Function("f", version(layers=("l",)), {"1": version(number="1")}, 2, {"live": Alias("live", "1", "r")})
    assert Function.read(function.document()) == function


def test_publishing_notices_real_changes_only() -> None:
    assert version().same_as(version(number="3", revision_id="9", description="other"))
    assert not version().same_as(version(timeout_s=9))
    assert not version().same_as(version(code_sha256="t"))


def test_a_package_of_text_is_always_the_same() -> None:
    assert packages.of_text("index.py", "x = 1") == packages.of_text("index.py", "x = 1")
    assert packages.read(packages.of_text("index.py", "x = 1"), inline=True).size_bytes > 0
