"""The templates are valid CloudFormation, within what is promised to work on both targets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TEMPLATES = sorted((Path(__file__).parents[3] / "templates").glob("*.yaml"))
REGIONS = {"routing": ["us-west-2"], "observer": ["us-east-2"], "zone": ["us-east-1"]}
PROMISED = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::GlobalTable",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::Route53::HealthCheck",
    "AWS::Route53::HostedZone",
    "AWS::Route53::RecordSet",
    "AWS::Route53RecoveryControl::Cluster",
    "AWS::Route53RecoveryControl::ControlPanel",
    "AWS::Route53RecoveryControl::RoutingControl",
    "AWS::Route53RecoveryControl::SafetyRule",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Synthetics::Canary",
}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as {function: argument}."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), Loader)
    return document


def test_the_story_has_its_templates() -> None:
    names = {path.stem for path in TEMPLATES}
    assert names == {"zone", "foundation", "data", "application", "watch", "routing", "observer"}


def test_the_templates_pass_cfn_lint() -> None:
    for name, regions in REGIONS.items():
        _lint([path for path in TEMPLATES if path.stem == name], regions)
    _lint([path for path in TEMPLATES if path.stem not in REGIONS], ["us-east-1", "us-west-2"])


def _lint(paths: list[Path], regions: list[str]) -> None:
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", *map(str, paths), "--regions", *regions]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_keeps_to_the_promised_types_and_says_what_it_is(path: Path) -> None:
    document = load(path)
    types = {resource["Type"] for resource in document["Resources"].values()}
    assert types <= PROMISED
    assert document["Description"]
    assert all(parameter["Description"] for parameter in document["Parameters"].values())
    assert all(output["Description"] for output in document["Outputs"].values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_dashboards_are_json(path: Path) -> None:
    for resource in load(path)["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Dashboard":
            body = resource["Properties"]["DashboardBody"]["Sub"]
            widgets = json.loads(re.sub(r"\$\{[^}]+\}", "1", body))["widgets"]
            assert {"alarm", "metric"} == {widget["type"] for widget in widgets}


def test_the_function_may_do_nothing_to_all_resources() -> None:
    (path,) = (path for path in TEMPLATES if path.stem == "application")
    (policy,) = load(path)["Resources"]["FunctionRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert "*" not in json.dumps(statement["Action"])
        assert statement["Resource"] != "*"
