"""The doctor: a ready deployment has no findings, and each rule finds its defect, and that alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from outlast.ops.deployment import Arc
from outlast.ops.doctor.examine import examine
from outlast.ops.doctor.facts import Facts, Method, Traffic, Unseen
from outlast.ops.doctor.findings import exit_of
from outlast.ops.doctor.knock import answered
from outlast.ops.doctor.show import lines
from outlast.ops.observe.probes import Probe
from outlast.ops.outcome import Exit
from outlast.ops.sightings import Sample
from tests.unit.ops_kit.doctored import (
    DEPLOYMENT,
    NOW_S,
    TABLES,
    A,
    B,
    alarm,
    in_part,
    in_region,
    in_table,
    put,
    ready,
)

DAY_S = 86_400.0


def without(member: str) -> Any:
    def change(document: Any) -> None:
        document.pop(member)

    return change


def in_alarm(number: int, **members: Any) -> Facts:
    """Both Regions' alarms changed alike, so that they still agree."""
    facts = ready()
    regions = []
    for region in facts.regions:
        alarms = list(region.alarms or ())
        alarms[number] = {**alarms[number], **members}
        regions.append(replace(region, alarms=tuple(alarms)))
    return replace(facts, regions=tuple(regions))


def in_both(**members: Any) -> Facts:
    facts = ready()
    return replace(facts, regions=tuple(replace(each, **members) for each in facts.regions))


def in_record(number: int, **members: Any) -> Facts:
    def change(records: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        changed = [dict(each) for each in records]
        changed[number].update(members)
        return tuple(changed)

    return in_part("names", "records", change)


def in_check(**members: Any) -> Facts:
    def change(checks: dict[str, Any]) -> None:
        checks[DEPLOYMENT.regions[0].health_check_id]["HealthCheckConfig"].update(members)

    return in_part("names", "checks", change)


def in_rule(**members: Any) -> Facts:
    def change(rules: Any) -> None:
        rules[0]["ASSERTION"]["RuleConfig"].update(members)

    return in_part("switch", "rules", change)


def with_statement(**statement: Any) -> Facts:
    return in_region("statements", lambda held: (*held, {"Effect": "Allow", "Resource": "*", **statement}))


def with_variable(name: str, value: str) -> Facts:
    """The same variable in both Regions."""
    facts = ready()
    regions = []
    for region in facts.regions:
        function = dict(region.function or {})
        function["Environment"] = {"Variables": {name: value}}
        regions.append(replace(region, function=function))
    return replace(facts, regions=tuple(regions))


def with_runtime(runtime: str) -> Facts:
    """The same runtime in both Regions."""
    facts = ready()
    regions = [replace(each, function={**(each.function or {}), "Runtime": runtime}) for each in facts.regions]
    return replace(facts, regions=tuple(regions))


def with_certificate(days: float) -> Facts:
    end = datetime.fromtimestamp(NOW_S + days * DAY_S, UTC)
    return in_region("certificate", put(NotAfter=end))


PITR_OFF = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
KEYS = [{"AttributeName": "other", "KeyType": "HASH"}]
DEFECTS: dict[str, tuple[Facts, str, str]] = {
    # tables
    "a table is missing": (in_region("tables", without(TABLES[0])), "table exists", "serious"),
    "a table is updating": (in_table(put(TableStatus="UPDATING")), "table status", "serious"),
    "keys differ": (in_table(put(KeySchema=KEYS)), "table keys", "serious"),
    "an index is missing": (in_table(put(GlobalSecondaryIndexes=[])), "table indexes", "serious"),
    "TTL differs": (in_table(put(TimeToLiveStatus="DISABLED"), "ttl"), "table time to live", "warning"),
    "capacity mode differs": (
        in_table(lambda t: {**t, "BillingModeSummary": {"BillingMode": "PROVISIONED"}, "OnDemandThroughput": None}),
        "table capacity mode",
        "serious",
    ),
    "limits differ": (
        in_table(put(OnDemandThroughput={"MaxReadRequestUnits": 900, "MaxWriteRequestUnits": 900})),
        "table capacity limits",
        "serious",
    ),
    "warm throughput differs": (in_table(put(WarmThroughput={})), "table warm throughput", "warning"),
    "encryption differs": (
        in_table(put(SSEDescription={"SSEType": "KMS", "KMSMasterKeyArn": f"arn:aws:kms:{B}:1:key/k"})),
        "table encryption",
        "warning",
    ),
    "class differs": (
        in_table(put(TableClassSummary={"TableClass": "STANDARD_INFREQUENT_ACCESS"})),
        "table class",
        "warning",
    ),
    "stream differs": (in_table(put(StreamSpecification=None)), "table stream", "warning"),
    "PITR is off": (in_table(lambda _: PITR_OFF, "backups"), "table point-in-time recovery", "warning"),
    "a table may be deleted": (
        in_table(put(DeletionProtectionEnabled=False)),
        "table deletion protection",
        "warning",
    ),
    "it is not replicated": (in_table(put(Replicas=[])), "table replicas", "serious"),
    "a replica is dead": (
        in_table(put(Replicas=[{"RegionName": A, "ReplicaStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}])),
        "table replicas",
        "serious",
    ),
    # functions
    "code differs": (in_region("function", put(CodeSha256="other")), "function code", "serious"),
    "handler differs": (in_region("function", put(Handler="old")), "function handler", "serious"),
    "runtime differs": (in_region("function", put(Runtime="python3.14")), "function runtime", "serious"),
    "architecture differs": (
        in_region("function", put(Architectures=["x86_64"])),
        "function architecture",
        "warning",
    ),
    "memory differs": (in_region("function", put(MemorySize=128)), "function memory", "serious"),
    "timeout differs": (in_region("function", put(Timeout=3)), "function timeout", "serious"),
    "environment differs": (
        in_region("function", put(Environment={"Variables": {"TABLE": "o", "HERE": B}})),
        "function environment",
        "serious",
    ),
    "layers differ": (in_region("function", put(Layers=[])), "function layers", "warning"),
    "package differs": (in_region("function", put(PackageType="Image")), "function package", "warning"),
    "reserved in one": (in_region("reserved", lambda _: 100), "function concurrency", "serious"),
    "a function is pending": (in_region("function", put(State="Pending")), "function state", "serious"),
    "an update failed": (in_region("function", put(LastUpdateStatus="Failed")), "function state", "serious"),
    "a dead runtime": (with_runtime("python3.8"), "function runtime", "serious"),
    "a dying runtime": (with_runtime("nodejs20.x"), "function runtime", "warning"),
    # endpoints
    "a method is missing": (in_region("methods", lambda m: m[:1]), "api methods", "serious"),
    "a method is open": (
        in_region("methods", lambda m: (replace(m[0], authorization="NONE"), m[1])),
        "api methods",
        "serious",
    ),
    "throttles differ": (
        in_region("stage", put(methodSettings={"*/*": {"throttlingRateLimit": 400.0, "throttlingBurstLimit": 1000}})),
        "stage settings",
        "serious",
    ),
    "stage variables differ": (in_region("stage", put(variables={"a": "b"})), "stage variables", "serious"),
    "one web ACL": (in_region("stage", put(webAclArn="arn:acl")), "stage web ACL", "serious"),
    "TLS differs": (in_region("domain", put(securityPolicy="TLS_1_0")), "domain policy", "warning"),
    "execute-api is off": (in_region("api", put(disableExecuteApiEndpoint=True)), "api endpoint", "warning"),
    "a domain is pending": (in_region("domain", put(domainNameStatus="PENDING")), "domain status", "serious"),
    "a domain has moved": (in_region("domain", put(regionalDomainName="d-2")), "domain address", "serious"),
    "no mapping": (in_region("mappings", lambda _: ()), "domain mapping", "serious"),
    "certificate ends soon": (with_certificate(5), "certificate end", "serious"),
    "certificate ends": (with_certificate(40), "certificate end", "warning"),
    "certificate is pending": (in_region("certificate", put(Status="FAILED")), "certificate status", "serious"),
    "nobody is served": (replace(ready(), answers={A: "", B: "unreachable"}), "endpoint answers", "serious"),
    "the operator is not let in": (replace(ready(), answers={A: "status 403", B: ""}), "endpoint answers", "warning"),
    # alarms
    "an alarm is missing": (in_region("alarms", lambda held: held[1:]), "alarm exists", "serious"),
    "alarms differ": (
        in_region("alarms", lambda held: ({**held[0], "Threshold": 1.0}, *held[1:])),
        "alarm settings",
        "serious",
    ),
    "actions are off": (in_alarm(0, ActionsEnabled=False), "alarm actions", "serious"),
    "silence is good": (in_alarm(0, TreatMissingData="notBreaching"), "alarm missing data", "serious"),
    "a cut link is good": (in_alarm(1, TreatMissingData="notBreaching"), "alarm missing data", "warning"),
    "an alarm rings": (in_alarm(2, StateValue="ALARM"), "alarm state", "serious"),
    "a canary is stopped": (in_region("canary", put(Status={"State": "STOPPED"})), "canary runs", "serious"),
    "the observer's alarm is missing": (
        replace(ready(), observer_alarms=(alarm("orders-other", "us-east-2"),)),
        "alarm exists",
        "serious",
    ),
    # capacity
    "the stage is too small": (in_both(traffic=Traffic(300.0, 20.0)), "survivor's room", "serious"),
    "the stage is nearly full": (in_both(traffic=Traffic(220.0, 20.0)), "survivor's room", "warning"),
    "the account's throttle is too small": (
        in_both(api_account={"throttleSettings": {"rateLimit": 150.0}}),
        "survivor's room",
        "serious",
    ),
    "concurrency is too small": (in_both(traffic=Traffic(1.0, 500.0)), "survivor's room", "serious"),
    "reserved is too small": (in_both(reserved=30), "survivor's room", "serious"),
    "a function is switched off": (in_both(reserved=0, traffic=Traffic(1.0)), "survivor's room", "serious"),
    "reads are too many": (
        in_both(traffic=Traffic(1.0, 1.0, {TABLES[0]: 600.0})),
        "survivor's room",
        "serious",
    ),
    "writes are too many": (
        in_both(traffic=Traffic(1.0, 1.0, {}, {TABLES[0]: 1100.0})),
        "survivor's room",
        "serious",
    ),
    "the table's quota is too small": (
        in_both(table_limits={"TableMaxReadCapacityUnits": 60}),
        "survivor's room",
        "serious",
    ),
    "quotas differ": (
        in_region("lambda_account", put(AccountLimit={"ConcurrentExecutions": 50})),
        "quotas",
        "serious",
    ),
    # names
    "a TTL is long": (in_record(1, TTL=300), "record TTL", "serious"),
    "a TTL is another": (in_record(1, TTL=30), "record TTL", "warning"),
    "health is not asked": (
        in_record(0, AliasTarget={"DNSName": "x", "EvaluateTargetHealth": False}),
        "record health",
        "serious",
    ),
    "no health check": (in_record(1, HealthCheckId=None), "record health", "serious"),
    "another's health check": (in_record(1, HealthCheckId="hc-else"), "record health", "serious"),
    "weights are half way": (in_record(1, Weight=25), "record weight", "warning"),
    "nowhere to go": (
        in_part("names", "records", lambda held: tuple(each for each in held if each.get("Weight") is None)),
        "record target",
        "serious",
    ),
    "a check is disabled": (in_check(Disabled=True), "health check", "serious"),
    "a check is inverted": (in_check(Inverted=True), "health check", "serious"),
    "a check follows another": (in_check(RoutingControlArn="arn:other"), "health check", "serious"),
    "a check is gone": (
        in_part("names", "checks", put(**{DEPLOYMENT.regions[0].health_check_id: None})),
        "health check",
        "serious",
    ),
    # switch
    "an endpoint is silent": (
        in_part("switch", "endpoints", put(**{"https://cluster-0": "ConnectTimeoutError"})),
        "cluster endpoint",
        "warning",
    ),
    "no majority answers": (
        in_part("switch", "endpoints", put(**{f"https://cluster-{n}": "ConnectTimeoutError" for n in range(3)})),
        "cluster endpoint",
        "serious",
    ),
    "endpoints are few": (in_part("switch", "endpoints", without("https://cluster-0")), "cluster endpoint", "serious"),
    "endpoints are stale": (
        in_part("switch", "cluster", put(ClusterEndpoints=[{"Endpoint": "https://new", "Region": A}])),
        "endpoint file",
        "serious",
    ),
    "the cluster is pending": (in_part("switch", "cluster", put(Status="PENDING")), "cluster status", "serious"),
    "a control is gone": (in_part("switch", "controls", lambda held: held[1:]), "endpoint file", "serious"),
    "the file is old": (replace(ready(), at_s=NOW_S + 100 * DAY_S), "endpoint file", "warning"),
    "a Region is off": (in_part("switch", "states", put(**{A: False})), "switch state", "serious"),
    "no safety rule": (in_part("switch", "rules", lambda _: ()), "safety rule", "serious"),
    "a safety rule is inverted": (in_rule(Inverted=True), "safety rule", "serious"),
    "a safety rule wants all": (in_rule(Threshold=2), "safety rule", "serious"),
    "another rule is named": (
        replace(
            ready(),
            deployment=replace(DEPLOYMENT, arc=Arc("arn:cluster", "arn:panel", "arn:old", DEPLOYMENT.arc.endpoints)),
        ),
        "endpoint file",
        "warning",
    ),
    # hidden dependencies
    "a variable names a Region": (
        with_variable("QUEUE", "https://sqs.eu-west-1.amazonaws.com/1/q"),
        "single-Region dependency",
        "serious",
    ),
    "a variable names a global endpoint": (
        with_variable("STS", "https://sts.amazonaws.com"),
        "single-Region dependency",
        "serious",
    ),
    "STS is asked globally": (
        with_variable("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        "single-Region dependency",
        "serious",
    ),
    "a layer is elsewhere": (
        in_region("function", put(Layers=[{"Arn": f"arn:aws:lambda:{A}:2:layer:tools:7"}])),
        "single-Region dependency",
        "serious",
    ),
    "a key is elsewhere": (
        in_region("function", put(KMSKeyArn=f"arn:aws:kms:{A}:1:key/k")),
        "single-Region dependency",
        "serious",
    ),
    "dead letters go elsewhere": (
        in_region("function", put(DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{A}:1:q"})),
        "single-Region dependency",
        "serious",
    ),
    "a policy is about another Region": (
        with_statement(Action="sqs:SendMessage", Resource=f"arn:aws:sqs:{A}:1:q"),
        "single-Region dependency",
        "serious",
    ),
    "a request may change DNS": (with_statement(Action="route53:Change*"), "control plane", "warning"),
    "a request may do anything in IAM": (with_statement(Action=["iam:*"]), "control plane", "warning"),
    "a method calls another Region": (
        in_region("methods", lambda m: (replace(m[0], uri=m[0].uri.replace(B, A)), m[1])),
        "single-Region dependency",
        "serious",
    ),
    "a table's key is elsewhere": (
        in_table(put(SSEDescription={"SSEType": "KMS", "KMSMasterKeyArn": f"arn:aws:kms:{A}:1:alias/aws/dynamodb"})),
        "single-Region dependency",
        "serious",
    ),
    # sight
    "something was not seen": (replace(ready(), unseen=(Unseen(A, "stage", "AccessDenied"),)), "unseen", "warning"),
    "no traffic was measured": (in_region("traffic", lambda _: Traffic()), "traffic", "note"),
}  # fmt: skip


def test_a_ready_deployment_has_no_findings() -> None:
    assert examine(ready()) == ()
    assert list(lines(())) == ["Nothing found: ready."]


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_rule_finds_its_defect(defect: str) -> None:
    facts, rule, severity = DEFECTS[defect]
    found = [each for each in examine(facts) if each.rule == rule and each.severity == severity]
    assert found, [f"{each.rule}: {each.what}" for each in examine(facts)]
    for each in found:
        assert all((each.what, each.why, each.fix, each.resource))
    assert exit_of(found) == (Exit.MISSED if severity == "serious" else Exit.GOOD)


def test_no_action_on_any_alarm_is_a_note() -> None:
    facts = ready()
    quiet = [replace(region, alarms=tuple({**each, "AlarmActions": []} for each in region.alarms or ()))
             for region in facts.regions]  # fmt: skip
    observer = tuple({**each, "AlarmActions": []} for each in facts.observer_alarms or ())
    found = examine(replace(facts, regions=tuple(quiet), observer_alarms=observer))
    assert [(each.severity, each.rule) for each in found] == [("note", "alarm actions")]


def test_a_region_may_name_itself_and_a_wildcard_denial_is_no_permission() -> None:
    here = in_region("methods", lambda held: (*held[:1], Method("GET /ping", "NONE", "MOCK", "")))
    assert examine(here) == ()
    assert examine(with_statement(Effect="Deny", Action="iam:*")) == ()


def test_one_threshold_written_in_two_ways_is_no_difference() -> None:
    facts = ready()
    regions = tuple(
        replace(region, alarms=tuple({**each, "Threshold": written} for each in region.alarms or ()))
        for region, written in zip(facts.regions, (90, 90.0), strict=True)
    )
    assert examine(replace(facts, regions=regions)) == ()


def test_what_was_not_seen_is_not_judged() -> None:
    """A replica that could not be looked at is unseen, not missing."""
    facts = in_region("tables", without(TABLES[0]))
    facts = replace(facts, unseen=(Unseen(B, f"table {TABLES[0]}", "ThrottlingException"),))
    assert [each.rule for each in examine(facts)] == ["unseen"]
    nothing = replace(
        ready(),
        regions=tuple(replace(each, stage=None, domain=None, certificate=None, alarms=None, function=None, methods=None)
                      for each in ready().regions),
    )  # fmt: skip
    assert [each.rule for each in examine(nothing)] == []


async def test_a_region_that_answers_one_knock_answers() -> None:
    class Knocks:
        def __init__(self, *problems: str) -> None:
            self.problems = list(problems)

        async def look(self) -> Sample:
            problem = self.problems.pop(0)
            return Sample(0.0, "probe-fresh", A, bool(problem), problem)

    for problems, told in (
        (("late", "", "late"), ""),
        (("late", "late", "status 500"), "status 500"),
        (("", "", ""), ""),
    ):
        probe = Knocks(*problems)
        assert await answered([cast(Probe, probe)] * 3) == told
