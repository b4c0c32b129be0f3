"""Rules for Lambda functions. Facts: `function` (GetFunctionConfiguration), `reserved` (or None)."""

from __future__ import annotations

from outlast.cloud.services.arc_readiness.rules.kit import Facts, greatest, same

ALL = "Lambda functions"


def _network(facts: Facts, member: str) -> int:
    return len((facts["function"].get("VpcConfig") or {}).get(member, ()))


RULES = (
    greatest("LambdaMemorySize", ALL, "memory size", lambda facts: facts["function"]["MemorySize"]),
    greatest("LambdaFunctionTimeout", ALL, "timeout", lambda facts: facts["function"]["Timeout"]),
    same("LambdaFunctionRuntime", ALL, "runtime", lambda facts: facts["function"].get("Runtime")),
    greatest(
        "LambdaFunctionReservedConcurrentExecutions",
        ALL,
        "reserved concurrency",
        lambda facts: -1 if facts["reserved"] is None else facts["reserved"],
    ),
    same(
        "LambdaFunctionDeadLetterConfig",
        ALL,
        "presence of a dead letter target",
        lambda facts: bool((facts["function"].get("DeadLetterConfig") or {}).get("TargetArn")),
        description=f"Inspects all {ALL} to ensure that either all have a dead letter target, or none has.",
    ),
    same(
        "LambdaFunctionSecurityGroupCount",
        ALL,
        "number of security groups",
        lambda facts: _network(facts, "SecurityGroupIds"),
    ),
    same("LambdaFunctionSubnetIdCount", ALL, "number of subnets", lambda facts: _network(facts, "SubnetIds")),
)
