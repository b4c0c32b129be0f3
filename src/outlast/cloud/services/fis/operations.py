"""The operations of FIS.

https://docs.aws.amazon.com/fis/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.fis.errors import (
    ConflictException,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
    ValidationException,
)
from outlast.cloud.services.fis.model import ACTIONS, check_actions
from outlast.cloud.services.fis.service import fis
from outlast.cloud.services.fis.state import ENDED, Document, Experiments

MAX_TEMPLATES = 500
MAX_RUNNING = 5
PAGE = 100
TEMPLATE = "arn:aws:fis:{region}:{account}:experiment-template/{id}"
EXPERIMENT = "arn:aws:fis:{region}:{account}:experiment/{id}"
ACTION = "arn:aws:fis:{region}:{account}:action/{id}"
MAX_TAGS = 50


def check_template(template: Mapping[str, Any], account_id: str) -> None:
    """Raise ValidationException for a template that could not run."""
    if template.get("targets"):
        raise ValidationException("Targets are not supported by this cloud; its actions name Regions.")
    check_actions(template["actions"])
    role = template["roleArn"]
    if not role.startswith(f"arn:aws:iam::{account_id}:role/"):
        raise ValidationException(f"The role {role} is not a role of this account.")
    if not template["stopConditions"]:
        raise ValidationException("A stop condition is needed; its source may be none.")
    for condition in template["stopConditions"]:
        source, value = condition["source"], condition.get("value")
        if source == "none":
            if value or len(template["stopConditions"]) > 1:
                raise ValidationException("The stop condition none takes no value and no other beside it.")
        elif source != "aws:cloudwatch:alarm":
            raise ValidationException(f"The stop condition {source} is not supported.")
        elif ":alarm:" not in (value or ""):
            raise ValidationException("The stop condition aws:cloudwatch:alarm needs the ARN of an alarm.")


def check_options(options: Mapping[str, Any] | None) -> None:
    """Raise ValidationException for options that are not supported."""
    if not options:
        return
    if options.get("accountTargeting", "single-account") != "single-account":
        raise ValidationException("The accountTargeting multi-account is not supported by this cloud.")
    if options.get("actionsMode", "run-all") != "run-all":
        raise ValidationException("The actionsMode skip-all is not supported by this cloud.")


def shown_template(template: Mapping[str, Any], *, summary: bool = False) -> Document:
    """A template as the API shows it."""
    members: tuple[str, ...] = ("id", "arn", "description", "creationTime", "lastUpdateTime", "tags")
    if not summary:
        members += ("actions", "stopConditions", "roleArn", "targets", "experimentOptions")
    return {member: template[member] for member in members if member in template}


def shown_experiment(experiment: Mapping[str, Any], *, summary: bool = False) -> Document:
    """An experiment as the API shows it."""
    members: tuple[str, ...] = ("id", "arn", "experimentTemplateId", "state", "creationTime", "tags")
    if not summary:
        members += ("roleArn", "stopConditions", "startTime", "endTime", "targets")
    shown = {member: experiment[member] for member in members if member in experiment}
    if not summary:
        kept = ("actionId", "description", "parameters", "startAfter", "state", "startTime", "endTime")
        shown["actions"] = {
            name: {member: action[member] for member in kept if action.get(member) is not None}
            for name, action in experiment["actions"].items()
        }
    return shown


def paged(
    documents: Iterable[Document], max_results: int | None, next_token: str | None
) -> tuple[list[Document], str | None]:
    """One page in order of ids, and the token of the next."""
    after = ""
    if next_token is not None:
        try:
            after = base64.urlsafe_b64decode(next_token).decode()
        except ValueError:
            raise ValidationException("The nextToken is not one that this operation gave.") from None
    rest = sorted((each for each in documents if each["id"] > after), key=lambda each: str(each["id"]))
    page = rest[: max_results or PAGE]
    more = len(rest) > len(page)
    return page, base64.urlsafe_b64encode(page[-1]["id"].encode()).decode() if more else None


def listing(name: str, page: list[Document], token: str | None) -> Reply:
    """A list reply."""
    return {name: page} if token is None else {name: page, "nextToken": token}


def with_role(params: Mapping[str, Any], region: Any) -> list[tuple[str, str]]:
    """Making or changing a template needs leave for it, and to pass the role that it names.

    https://docs.aws.amazon.com/fis/latest/userguide/security_iam_id-based-policy-examples.html
    """
    action = "UpdateExperimentTemplate" if "id" in params else "CreateExperimentTemplate"
    found = [(f"fis:{action}", region.arn("fis", f"experiment-template/{params.get('id', '*')}"))]
    if params.get("roleArn"):
        found.append(("iam:PassRole", params["roleArn"]))
    return found


@fis.operation(resource=with_role)
def create_experiment_template(
    call: Call[Experiments],
    *,
    client_token: str,
    description: str,
    stop_conditions: list[Any],
    actions: dict[str, Any],
    role_arn: str,
    targets: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    experiment_options: dict[str, Any] | None = None,
) -> Reply:
    """Keep a template; the same client token gives the same template."""
    state = call.state
    for _, known in state.templates.items():
        if known["clientToken"] == client_token:
            if known["description"] != description or known["actions"] != actions:
                raise ConflictException("The client token was used for another template.")
            return {"experimentTemplate": shown_template(known)}
    if len(state.templates) >= MAX_TEMPLATES:
        raise ServiceQuotaExceededException(f"There are {MAX_TEMPLATES} experiment templates already.")
    ident = f"EXT{call.region.entropy.hex(16)}"
    template: Document = {
        "id": ident,
        "arn": call.region.arn("fis", f"experiment-template/{ident}"),
        "clientToken": client_token,
        "description": description,
        "stopConditions": stop_conditions,
        "targets": targets or {},
        "actions": actions,
        "roleArn": role_arn,
        "tags": checked_tags(tags or {}),
        "experimentOptions": {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"}
        | (experiment_options or {}),
        "creationTime": call.now_s,
        "lastUpdateTime": call.now_s,
    }
    check_options(experiment_options)
    check_template(template, call.region.account_id)
    state.templates.put(ident, template)
    return {"experimentTemplate": shown_template(template)}


@fis.operation(resource=with_role)
def update_experiment_template(
    call: Call[Experiments],
    *,
    id: str,
    description: str | None = None,
    stop_conditions: list[Any] | None = None,
    targets: dict[str, Any] | None = None,
    actions: dict[str, Any] | None = None,
    role_arn: str | None = None,
    experiment_options: dict[str, Any] | None = None,
) -> Reply:
    """Change the members that are given."""
    template = call.state.template(id)
    given = {
        "description": description,
        "stopConditions": stop_conditions,
        "targets": targets,
        "actions": actions,
        "roleArn": role_arn,
    }
    template |= {member: value for member, value in given.items() if value is not None}
    check_options(experiment_options)
    template["experimentOptions"] |= experiment_options or {}
    template["lastUpdateTime"] = call.now_s
    check_template(template, call.region.account_id)
    call.state.templates.put(id, template)
    return {"experimentTemplate": shown_template(template)}


@fis.operation(resource=TEMPLATE)
def get_experiment_template(call: Call[Experiments], *, id: str) -> Reply:
    """One template."""
    return {"experimentTemplate": shown_template(call.state.template(id))}


@fis.operation(resource=TEMPLATE)
def delete_experiment_template(call: Call[Experiments], *, id: str) -> Reply:
    """Forget a template; experiments that were started from it go on."""
    template = call.state.template(id)
    call.state.templates.delete(id)
    return {"experimentTemplate": shown_template(template)}


@fis.operation()
def list_experiment_templates(
    call: Call[Experiments], *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """All templates, a page at a time."""
    page, token = paged((each for _, each in call.state.templates.items()), max_results, next_token)
    return listing("experimentTemplates", [shown_template(each, summary=True) for each in page], token)


def start_resources(params: Mapping[str, Any], region: Any) -> list[tuple[str, str]]:
    """Starting needs leave for the template and for experiments."""
    return [
        ("fis:StartExperiment", region.arn("fis", f"experiment-template/{params['experimentTemplateId']}")),
        ("fis:StartExperiment", region.arn("fis", "experiment/*")),
    ]


@fis.operation(resource=start_resources)
def start_experiment(
    call: Call[Experiments],
    *,
    client_token: str,
    experiment_template_id: str,
    experiment_options: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> Reply:
    """Start an experiment; it is pending until its role was assumed, running once its first action was started."""
    state = call.state
    for _, known in state.experiments.items():
        if known["clientToken"] == client_token:
            return {"experiment": shown_experiment(known)}
    check_options(experiment_options)
    template = state.template(experiment_template_id)
    if len(state.running()) >= MAX_RUNNING:
        raise ServiceQuotaExceededException(f"{MAX_RUNNING} experiments are running already.")
    ident = f"EXP{call.region.entropy.hex(16)}"
    experiment: Document = {
        "id": ident,
        "arn": call.region.arn("fis", f"experiment/{ident}"),
        "clientToken": client_token,
        "experimentTemplateId": experiment_template_id,
        "roleArn": template["roleArn"],
        "state": {"status": "pending", "reason": "Experiment is pending."},
        "stopConditions": template["stopConditions"],
        "targets": {},
        "actions": {
            name: {**action, "state": {"status": "pending", "reason": "Action is pending."}}
            for name, action in template["actions"].items()
        },
        "creationTime": call.now_s,
        "tags": checked_tags(tags or {}),
    }
    state.save(experiment)
    state.wake.set()
    return {"experiment": shown_experiment(experiment)}


@fis.operation(resource=EXPERIMENT)
def stop_experiment(call: Call[Experiments], *, id: str) -> Reply:
    """End everything that the experiment started."""
    experiment = call.state.experiment(id)
    if experiment["state"]["status"] in ENDED:
        raise ValidationException(f"The experiment {id} has ended already.")
    experiment["state"] = {"status": "stopping", "reason": "Experiment was stopped on request."}
    call.state.save(experiment)
    call.state.wake.set()
    return {"experiment": shown_experiment(experiment)}


@fis.operation(resource=EXPERIMENT)
def get_experiment(call: Call[Experiments], *, id: str) -> Reply:
    """One experiment with the state of its actions."""
    return {"experiment": shown_experiment(call.state.experiment(id))}


@fis.operation()
def list_experiments(
    call: Call[Experiments],
    *,
    max_results: int | None = None,
    next_token: str | None = None,
    experiment_template_id: str | None = None,
) -> Reply:
    """All experiments that are kept, a page at a time."""
    chosen = (
        each
        for _, each in call.state.experiments.items()
        if experiment_template_id in (None, each["experimentTemplateId"])
    )
    page, token = paged(chosen, max_results, next_token)
    return listing("experiments", [shown_experiment(each, summary=True) for each in page], token)


@fis.operation()
def list_actions(call: Call[Experiments], *, max_results: int | None = None, next_token: str | None = None) -> Reply:
    """The actions of this cloud."""
    page, token = paged((action.described() for action in ACTIONS.values()), max_results, next_token)
    shown = [{"id": each["id"], "description": each["description"]} for each in page]
    return listing("actions", [each | {"arn": call.region.arn("fis", f"action/{each['id']}")} for each in shown], token)


@fis.operation(resource=ACTION)
def get_action(call: Call[Experiments], *, id: str) -> Reply:
    """One action and its parameters."""
    action = ACTIONS.get(id)
    if action is None:
        raise ResourceNotFoundException(f"The action {id} could not be found.")
    return {"action": action.described() | {"arn": call.region.arn("fis", f"action/{id}")}}


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """The tags; raises ValidationException when there are too many or AWS's own prefix is used."""
    if len(tags) > MAX_TAGS or any(key.startswith("aws:") for key in tags):
        raise ValidationException("A resource takes up to 50 tags, and none that begins with aws:.")
    return tags


def tagged(call: Call[Experiments], arn: str) -> tuple[Any, Document]:
    """The shelf and the document of a tagged resource; raises ResourceNotFoundException."""
    kind, _, ident = arn.rpartition(":")[2].partition("/")
    shelf = {"experiment-template": call.state.templates, "experiment": call.state.experiments}.get(kind)
    document = None if shelf is None else shelf.get(ident)
    if document is None:
        raise ResourceNotFoundException(f"The resource {arn} could not be found.")
    return shelf, document


def arn_of(params: Mapping[str, Any], _region: Any) -> str:
    """The ARN that the request names itself."""
    return str(params["resourceArn"])


@fis.operation(resource=arn_of)
def list_tags_for_resource(call: Call[Experiments], *, resource_arn: str) -> Reply:
    """The tags of a template or an experiment."""
    return {"tags": tagged(call, resource_arn)[1]["tags"]}


@fis.operation(resource=arn_of)
def tag_resource(call: Call[Experiments], *, resource_arn: str, tags: dict[str, str]) -> Reply:
    """Add or replace tags."""
    shelf, document = tagged(call, resource_arn)
    document["tags"] = checked_tags(document["tags"] | tags)
    shelf.put(document["id"], document)
    return {}


@fis.operation(resource=arn_of)
def untag_resource(call: Call[Experiments], *, resource_arn: str, tag_keys: list[str] | None = None) -> Reply:
    """Remove tags."""
    shelf, document = tagged(call, resource_arn)
    for key in tag_keys or ():
        document["tags"].pop(key, None)
    shelf.put(document["id"], document)
    return {}
