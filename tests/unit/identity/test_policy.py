"""IAM's evaluation logic, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.identity.policy import Decision, MalformedPolicy, Principal, RequestFacts, compile_policy, decide

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/orders"
SESSION = Principal("session", f"arn:aws:sts::{ACCOUNT}:assumed-role/orders/i-1", ACCOUNT, ROLE)
USER = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT)
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    given = {"Effect": effect, "Action": "dynamodb:*", "Resource": "*", **elements}
    return {key: value for key, value in given.items() if value is not None}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


ALLOW = compile_policy(document(statement()))
DENY = compile_policy(document(statement("Deny")))
NOTHING = compile_policy(document(statement(Action="s3:*")))


def facts(
    principal: Principal = SESSION, action: str = "dynamodb:GetItem", resource: str = TABLE, **context: Any
) -> RequestFacts:
    values = {key.replace("__", ":").lower(): (v,) if isinstance(v, str) else tuple(v) for key, v in context.items()}
    return RequestFacts(action, resource, principal, values)


def guard(principal: Any, effect: str = "Allow", name: str = "Principal") -> Any:
    return compile_policy(document(statement(effect, **{name: principal})), "resource")


def one(request: RequestFacts | None = None, **elements: Any) -> Decision:
    return decide(request or facts(), [compile_policy(document(statement(**elements)))])


def test_nothing_is_allowed_unless_a_policy_says_so() -> None:
    decision = decide(facts())
    assert (decision.allowed, decision.reason) == (False, "implicit deny")
    assert decision.message(facts()) == (
        f"User: {SESSION.arn} is not authorized to perform: dynamodb:GetItem on resource: {TABLE} "
        "because no identity-based policy allows the dynamodb:GetItem action"
    )


def test_an_explicit_deny_wins_wherever_it_is() -> None:
    request = facts()
    denials = [
        (decide(request, [ALLOW, DENY]), "an identity-based policy"),
        (decide(request, [ALLOW], boundary=DENY), "a permissions boundary"),
        (decide(request, [ALLOW], session=[ALLOW, DENY]), "a session policy"),
        (decide(request, [ALLOW], resource_policy=guard("*", "Deny")), "a resource-based policy"),
    ]
    for decision, where in denials:
        assert decision.reason == "explicit deny"
        assert decision.message(request).endswith(f"on resource: {TABLE} with an explicit deny in {where}")


def test_boundary_and_session_policies_limit_the_identity() -> None:
    assert decide(facts(), [ALLOW], boundary=ALLOW, session=[NOTHING, ALLOW]).allowed
    assert decide(facts(), [ALLOW], boundary=NOTHING).source == "permissions boundary"
    assert decide(facts(), [ALLOW], session=[NOTHING]).source == "session policy"
    assert not decide(facts(), [], boundary=ALLOW, session=[ALLOW]).allowed


@pytest.mark.parametrize(
    ("who", "named", "limited", "allowed"),
    [
        (USER, {"AWS": USER.arn}, True, True),
        (SESSION, {"AWS": SESSION.arn}, True, True),
        (SESSION, {"AWS": ROLE}, False, True),
        (SESSION, {"AWS": ROLE}, True, False),
        (SESSION, "*", True, False),
        (USER, "*", True, True),
        (USER, {"AWS": ACCOUNT}, False, False),
        (USER, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, False, False),
        (USER, {"AWS": "arn:aws:iam::000000000000:user/bob"}, False, False),
        (USER, {"Service": "lambda.amazonaws.com"}, False, False),
    ],
)
def test_what_a_resource_policy_alone_can_give(who: Principal, named: Any, limited: bool, allowed: bool) -> None:
    decision = decide(facts(who), [], boundary=NOTHING if limited else None, resource_policy=guard(named))
    assert decision.allowed is allowed


def test_an_account_in_a_resource_policy_leaves_it_to_the_identity() -> None:
    trust = guard({"AWS": ACCOUNT})
    assert decide(facts(USER), [ALLOW], resource_policy=trust, resource_required=True).allowed
    assert not decide(facts(USER), [ALLOW], resource_policy=guard({"AWS": ROLE}), resource_required=True).allowed


def test_a_service_needs_a_resource_policy() -> None:
    names = ("apigateway.amazonaws.com", "apigateway.eu-west-1.amazonaws.com")
    service = Principal("service", "apigateway.amazonaws.com", ACCOUNT, names=names)
    assert not decide(facts(service), [ALLOW]).allowed
    assert decide(facts(service), resource_policy=guard({"Service": "apigateway.amazonaws.com"})).allowed
    assert not decide(facts(service), resource_policy=guard({"Service": "lambda.amazonaws.com"})).allowed
    assert decide(facts(service), resource_policy=guard({"Service": names[1]})).allowed
    assert not decide(facts(service), resource_policy=guard({"Service": "apigateway.us-east-1.amazonaws.com"})).allowed


ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
BOB = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/bob", ACCOUNT)


@pytest.mark.parametrize(
    ("who", "named", "allowed"),
    [
        (USER, [USER.arn], True),
        (SESSION, [USER.arn], False),
        (USER, [USER.arn, ROOT.arn], True),
        (BOB, [USER.arn, ROOT.arn], False),
        (BOB, [USER.arn, ACCOUNT], False),
        (ROOT, [USER.arn, ROOT.arn], True),
        (ROOT, [USER.arn], False),
        (SESSION, [ROLE, ROOT.arn], True),
        (SESSION, [SESSION.arn, ROLE, ROOT.arn], True),
        (Principal("anonymous", "*", ""), [USER.arn, ROOT.arn], False),
        (Principal("service", "lambda.amazonaws.com", ACCOUNT), [USER.arn, ROOT.arn], False),
    ],
)
def test_not_principal_denies_all_others(who: Principal, named: list[str], allowed: bool) -> None:
    policy = guard({"AWS": named}, "Deny", "NotPrincipal")
    open_to_all = statement(Principal="*")
    both = compile_policy(document(open_to_all, statement("Deny", NotPrincipal={"AWS": named})), "resource")
    assert decide(facts(who), [ALLOW], resource_policy=both).allowed is allowed
    if who.kind in ("user", "session", "root"):
        assert decide(facts(who), [ALLOW], resource_policy=policy).allowed is allowed


def test_not_principal_denies_whoever_has_a_permissions_boundary() -> None:
    policy = guard({"AWS": [USER.arn, ROOT.arn]}, "Deny", "NotPrincipal")
    assert decide(facts(USER), [ALLOW], boundary=ALLOW, resource_policy=policy).reason == "explicit deny"


def test_not_principal_does_not_allow() -> None:
    with pytest.raises(MalformedPolicy):
        guard({"AWS": USER.arn}, "Allow", "NotPrincipal")


def test_the_root_user_needs_no_policy() -> None:
    root = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    assert decide(facts(root)).allowed
    assert not decide(facts(root), resource_policy=guard("*", "Deny")).allowed


@pytest.mark.parametrize(
    ("elements", "allowed"),
    [
        ({"Action": "DYNAMODB:getitem"}, True),
        ({"Action": ["dynamodb:Put*", "dynamodb:?etItem"]}, True),
        ({"Action": "dynamodb:Put*"}, False),
        ({"Action": None, "NotAction": "dynamodb:Put*"}, True),
        ({"Action": None, "NotAction": "dynamodb:Get*"}, False),
        ({"Resource": TABLE}, True),
        ({"Resource": TABLE.replace("orders", "Orders")}, False),
        ({"Resource": "arn:aws:dynamodb:*:*:table/ord?rs"}, True),
        ({"Resource": "arn:aws:dynamodb:*:*:table/orders/*"}, False),
        ({"Resource": None, "NotResource": "arn:aws:dynamodb:*:*:table/customers"}, True),
        ({"Resource": None, "NotResource": "arn:aws:dynamodb:*"}, False),
    ],
)
def test_actions_and_resources(elements: dict[str, Any], allowed: bool) -> None:
    assert one(**elements).allowed is allowed


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"AWS:UserName": "ann"}}, {"aws__username": "ann"}, True),
        ({"StringEquals": {"aws:username": "ann"}}, {"aws__username": "Ann"}, False),
        ({"StringEqualsIgnoreCase": {"aws:username": "ann"}}, {"aws__username": "Ann"}, True),
        ({"StringEquals": {"aws:username": "a*"}}, {"aws__username": "ann"}, False),
        ({"StringLike": {"aws:username": ["b*", "a?n"]}}, {"aws__username": "ann"}, True),
        ({"StringNotLike": {"aws:username": ["b*", "a*"]}}, {"aws__username": "ann"}, False),
        ({"StringNotEquals": {"aws:username": "bob"}}, {}, True),
        ({"StringEquals": {"aws:username": "bob"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:username": "bob"}}, {}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3__max-keys": "10"}, True),
        ({"NumericGreaterThan": {"s3:max-keys": 10}}, {"s3__max-keys": "9.5"}, False),
        ({"NumericEquals": {"s3:max-keys": 10}}, {"s3__max-keys": "ten"}, False),
        ({"DateLessThan": {"aws:CurrentTime": "2026-02-01T00:00:00Z"}}, {"aws__currenttime": "2026-01-31"}, True),
        ({"DateGreaterThan": {"aws:EpochTime": "1769904000"}}, {"aws__epochtime": "1769904001"}, True),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws__securetransport": "TRUE"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws__securetransport": "false"}, False),
        ({"BinaryEquals": {"k": "QmluYXJ5"}}, {"k": "QmluYXJ5"}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws__sourceip": "10.1.2.3"}, True),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, {"aws__sourceip": "10.1.2.3"}, False),
        ({"IpAddress": {"aws:SourceIp": "::/0"}}, {"aws__sourceip": "10.1.2.3"}, False),
        ({"ArnLike": {"k": "arn:aws:sns:*:1:t*"}}, {"k": "arn:aws:sns:us-east-1:1:topic"}, True),
        ({"ArnEquals": {"k": "arn:aws:sns:*:topic"}}, {"k": "arn:aws:sns:us-east-1:1:topic"}, False),
        ({"ArnNotEquals": {"k": "arn:aws:sns:*:1:t?"}}, {"k": "arn:aws:sns:us-east-1:1:topic"}, True),
        ({"ArnLike": {"k": "arn:aws:sns:*:*:${aws:username}"}}, {"k": "arn:aws:sns:a:1:t", "aws__username": "t"}, True),
        ({"ArnLike": {"k": "arn:aws:sns:*:*:${aws:username}"}}, {"k": "arn:aws:sns:a:1:t"}, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
        ({"Null": {"aws:TokenIssueTime": "false"}}, {}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__tagkeys": ["a", "b", "a"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws__tagkeys": ["a", "b"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws__tagkeys": ["b", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, {"aws__tagkeys": ["b", "a"]}, True),
        ({"StringEquals": {"a": "1", "b": "2"}}, {"a": "1", "b": "3"}, False),
        ({"StringEquals": {"a": "${b}"}}, {"a": "x*", "b": "x*"}, True),
        ({"StringLike": {"a": "${b}"}}, {"a": "xyz", "b": "x*"}, False),
        ({"StringLike": {"a": "x${*}"}}, {"a": "xyz"}, False),
    ],
)
def test_condition_operators(condition: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    assert one(facts(**context), Condition=condition).allowed is holds


def test_variables_in_resources() -> None:
    own = {"Resource": "arn:aws:dynamodb:*:*:table/${aws:username, 'shared'}-*"}
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/"
    assert one(facts(resource=table + "ann-x", aws__username="ann"), **own).allowed
    assert not one(facts(resource=table + "bob-x", aws__username="ann"), **own).allowed
    assert one(facts(resource=table + "shared-x"), **own).allowed


def test_variables_are_literal_before_version_2012() -> None:
    old = compile_policy(document(statement(Resource="arn:aws:s3:::${aws:username}"), version="2008-10-17"))
    assert not decide(facts(resource="arn:aws:s3:::ann", aws__username="ann"), [old]).allowed


@pytest.mark.parametrize(
    ("elements", "cacheable"),
    [
        ({}, True),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({"Resource": "arn:aws:s3:::${aws:username}"}, True),
        ({"Resource": "arn:aws:s3:::${aws:SourceIp}"}, False),
        ({"Action": "s3:*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, True),
    ],
)
def test_decisions_know_whether_they_may_be_remembered(elements: dict[str, Any], cacheable: bool) -> None:
    assert one(**elements).cacheable is cacheable


def test_the_deciding_statement_is_named() -> None:
    assert one(Sid="Mine").matched == "Mine"
    assert one().matched == "[0]"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ({"Version": "2020-01-01", "Statement": []}, "The policy must contain a valid version string."),
        ({"Version": "2012-10-17", "Statement": []}, "Syntax errors in policy."),
        ({"Version": "2012-10-17", "Statement": [statement()], "Extra": 1}, "Syntax errors in policy."),
        (document(statement("Maybe")), "Syntax errors in policy."),
        (document(statement(Action=None)), "Policy statement must contain actions."),
        (document(statement(Resource=None)), "Policy statement must contain resources."),
        (
            document(statement(Action="GetItem")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(statement(Resource="orders")), 'Resource orders must be in ARN format or "*".'),
        (document(statement(NotAction="s3:*")), "Syntax errors in policy."),
        (document(statement(Principal="*")), "Policy document should not specify a principal."),
        (document(statement(Sid="a"), statement(Sid="a")), "Statement IDs (SID) in a single policy must be unique."),
        (document(statement(Sid="a b")), "Statement IDs (SID) must be alpha-numeric."),
        (document(statement(Condition={"Equals": {"a": "b"}})), "Invalid Condition type : Equals."),
        (document(statement(Condition={"NumericEquals": {"a": "b"}})), "Syntax errors in policy."),
        (document(statement(Extra="x")), "Syntax errors in policy."),
    ],
)
def test_malformed_identity_policies(given: Any, text: str) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        compile_policy(given)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("elements", "text"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Principal": None}, "Missing required field Principal"),
        ({"Principal": {"AWS": "nobody"}}, 'Invalid principal in policy: "AWS":"nobody"'),
        ({"Principal": {"Federated": "x.com"}}, 'Invalid principal in policy: "Federated":"x.com"'),
    ],
)
def test_malformed_trust_policies(elements: dict[str, Any], text: str) -> None:
    trust = statement(**{"Action": "sts:AssumeRole", "Resource": None, "Principal": {"AWS": ACCOUNT}, **elements})
    with pytest.raises(MalformedPolicy) as caught:
        compile_policy(document(trust), "trust")
    assert caught.value.message == text
