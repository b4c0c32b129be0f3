"""Gathering the facts over boto3: many small reads at once; one that fails is written down, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from outlast.ops.act.boards import board_of
from outlast.ops.clients import Clients, again, error_code
from outlast.ops.deploy.parameters import ARC_REGION, ZONE_REGION
from outlast.ops.deployment import Deployment, RegionPart
from outlast.ops.doctor.facts import (
    Document,
    Facts,
    Method,
    NameFacts,
    RegionFacts,
    SwitchFacts,
    TableFacts,
    Traffic,
    Unseen,
)
from outlast.ops.doctor.load import busiest
from outlast.ops.doctor.tables import billing_mode
from outlast.ops.doctor.throughput import resources
from outlast.ops.outcome import OpsError

Result = TypeVar("Result")
THREADS: Final = 12
TRIES: Final = 3
ABSENT: Final = frozenset(
    {"ResourceNotFoundException", "NotFoundException", "NoSuchHealthCheck", "NoSuchEntity", "NoSuchHostedZone"}
)
QUOTAS: Final = ("apigateway", "cloudwatch", "dynamodb", "lambda", "synthetics")
"""Codes of the services whose quotas are compared."""
NO_QUOTAS: Final = "Service Quotas: a local world has none; the services' own limits were compared"
INVOKED: Final = ":lambda:path/2015-03-31/functions/"


@dataclass(slots=True)
class Gatherer:
    """Reads a deployment; what could not be read is in `unseen`.

    `hasty`: at night each thing is asked for once, and a Region that does not answer is asked no more.
    """

    clients: Clients
    deployment: Deployment
    unseen: list[Unseen] = field(default_factory=list)
    hasty: bool = False
    _silent: set[str] = field(init=False, default_factory=set)

    def facts(self, at_s: float) -> Facts:
        """Everything, as of `at_s`. Raises nothing of botocore's."""
        with ThreadPoolExecutor(THREADS) as pool:
            switch, names = pool.submit(self._switch), pool.submit(self._names)
            observer = pool.submit(self._alarms, self.deployment.observer_region)
            regions = [pool.submit(self._region, part, at_s) for part in self.deployment.regions]
            return Facts(
                at_s=at_s,
                deployment=self.deployment,
                regions=tuple(each.result() for each in regions),
                switch=switch.result(),
                names=names.result(),
                observer_alarms=observer.result(),
                unseen=tuple(sorted(self.unseen, key=lambda each: (each.region, each.what))),
                not_asked=(NO_QUOTAS,) if self.clients.kind == "local" else (),
            )

    def _read(self, region: str, what: str, call: Callable[[], Result], absent: Result | None = None) -> Result | None:
        """What a call gives; `absent` when there is no such thing; None, and written down, when it failed."""
        if self.hasty and region in self._silent:
            return None
        try:
            return again(call, tries=1 if self.hasty else TRIES)
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            if isinstance(error, BotoCoreError):
                self._silent.add(region)
            if code not in ABSENT or absent is None:
                self.unseen.append(Unseen(region, what, code))
            return absent if code in ABSENT else None

    def _region(self, part: RegionPart, at_s: float) -> RegionFacts:
        api, functions = self.clients.of("apigateway", part.name), self.clients.of("lambda", part.name)
        methods = self._methods(part)
        function = self._read(
            part.name,
            "function",
            lambda: functions.get_function_configuration(FunctionName=invoked(methods) or part.function),
        )
        domain = self._read(
            part.name, "domain name", lambda: api.get_domain_name(domainName=self.deployment.service_name)
        )
        reserved = self._read(
            part.name, "concurrency", lambda: functions.get_function_concurrency(FunctionName=part.function)
        )
        return replace(
            self.data(part, at_s),
            function=function,
            reserved=(reserved or {}).get("ReservedConcurrentExecutions"),
            lambda_account=self._read(part.name, "Lambda's quotas", functions.get_account_settings),
            statements=self._statements(part.name, function),
            api=self._read(part.name, "API", lambda: api.get_rest_api(restApiId=part.api_id)),
            api_account=self._read(part.name, "API Gateway's quotas", api.get_account),
            methods=methods,
            stage=self._read(part.name, "stage", lambda: api.get_stage(restApiId=part.api_id, stageName=part.stage)),
            domain=domain,
            mappings=self._mappings(part.name),
            certificate=self._certificate(part.name, domain),
            alarms=self._alarms(part.name),
            canary=self._canary(part),
            quotas=None if self.clients.kind == "local" else self._quotas(part.name),
        )

    def data(self, part: RegionPart, at_s: float, *, settings: bool = True) -> RegionFacts:
        """The tables, what they let in and what they consumed in the day before `at_s`, and nothing else of the Region.

        `settings`: time to live and backups too.
        """
        tables = self._tables(part.name, settings)
        limits = self._read(part.name, "table quotas", self.clients.of("dynamodb", part.name).describe_limits)
        scaling = None if self.clients.kind == "local" else self._scaling(part.name, tables)
        traffic = self._traffic(part, resources(tables), at_s)
        return RegionFacts(part.name, tables, limits, scaling, traffic=traffic)

    def _scaling(self, region: str, tables: Mapping[str, TableFacts]) -> dict[str, Document]:
        """How far autoscaling goes, of tables with provisioned capacity. A local world has no autoscaling."""
        client, found = self.clients.of("dynamodb", region), {}
        for name, copy in tables.items():
            if billing_mode(copy.table) != "PROVISIONED":
                continue
            ask = partial(client.describe_table_replica_auto_scaling, TableName=name)
            answer: Document = self._read(region, f"autoscaling of {name}", ask, {}) or {}
            for replica in (answer.get("TableAutoScalingDescription") or {}).get("Replicas") or []:
                if replica.get("RegionName") == region:
                    found[name] = replica
        return found

    def _quotas(self, region: str) -> tuple[Document, ...] | None:
        """The account's quotas of the application's services, as applied.

        https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
        """
        client = self.clients.of("service-quotas", region)

        def read() -> list[Document]:
            pages = client.get_paginator("list_service_quotas")
            return [
                each for service in QUOTAS for page in pages.paginate(ServiceCode=service) for each in page["Quotas"]
            ]

        found = self._read(region, "Service Quotas", read)
        return None if found is None else tuple(found)

    def _tables(self, region: str, settings: bool) -> dict[str, TableFacts]:
        client, found = self.clients.of("dynamodb", region), {}
        tables = self.deployment.tables
        for name in (tables.customers, tables.products, tables.orders):
            described: Document | None = self._read(
                region, f"table {name}", partial(client.describe_table, TableName=name), {}
            )
            if not described:
                continue
            if not settings:
                found[name] = TableFacts(described["Table"])
                continue
            ttl = self._read(region, f"time to live of {name}", partial(client.describe_time_to_live, TableName=name))
            backups = self._read(
                region, f"backups of {name}", partial(client.describe_continuous_backups, TableName=name)
            )
            found[name] = TableFacts(
                described["Table"],
                None if ttl is None else ttl["TimeToLiveDescription"],
                None if backups is None else backups["ContinuousBackupsDescription"],
            )
        return found

    def _methods(self, part: RegionPart) -> tuple[Method, ...] | None:
        client = self.clients.of("apigateway", part.name)
        pages = self._read(
            part.name,
            "methods",
            lambda: list(client.get_paginator("get_resources").paginate(restApiId=part.api_id, embed=["methods"])),
        )
        if pages is None:
            return None
        return tuple(
            Method(
                f"{verb} {resource['path']}",
                str(method.get("authorizationType", "NONE")),
                str((method.get("methodIntegration") or {}).get("type", "")),
                str((method.get("methodIntegration") or {}).get("uri", "")),
            )
            for page in pages
            for resource in page["items"]
            for verb, method in sorted((resource.get("resourceMethods") or {}).items())
        )

    def _statements(self, region: str, function: Document | None) -> tuple[Document, ...] | None:
        """Statements of every policy of the function's role."""
        role = str((function or {}).get("Role", "")).rpartition("/")[2]
        if not role:
            return None
        iam = self.clients.of("iam", ZONE_REGION)

        def read() -> list[Document]:
            documents = [
                iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            ]
            for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                arn = policy["PolicyArn"]
                version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
                documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
            return documents

        documents = self._read(region, f"policies of {role}", read)
        if documents is None:
            return None
        return tuple(statement for document in documents for statement in _statements(document))

    def _mappings(self, region: str) -> tuple[Document, ...] | None:
        client, name = self.clients.of("apigateway", region), self.deployment.service_name
        found: Document | None = self._read(
            region, "base path mappings", lambda: client.get_base_path_mappings(domainName=name), {}
        )
        return None if found is None else tuple(found.get("items", ()))

    def _certificate(self, region: str, domain: Document | None) -> Document | None:
        arn = (domain or {}).get("regionalCertificateArn")
        if not arn:
            return None
        client = self.clients.of("acm", region)
        found = self._read(region, "certificate", lambda: client.describe_certificate(CertificateArn=arn))
        return None if found is None else found["Certificate"]

    def _alarms(self, region: str) -> tuple[Document, ...] | None:
        """The application's alarms, metric and composite."""
        client, prefix = self.clients.of("cloudwatch", region), f"{self.deployment.application}-"

        def read() -> list[Document]:
            pages = client.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            return [each for page in pages for each in (*page["MetricAlarms"], *page["CompositeAlarms"])]

        found = self._read(region, "alarms", read)
        return None if found is None else tuple(found)

    def _canary(self, part: RegionPart) -> Document | None:
        client = self.clients.of("synthetics", part.name)
        found = self._read(part.name, f"canary {part.canary}", lambda: client.get_canary(Name=part.canary))
        return None if found is None else found["Canary"]

    def _traffic(self, part: RegionPart, names: Sequence[str], at_s: float) -> Traffic:
        client = self.clients.of("cloudwatch", part.name)
        found = self._read(part.name, "traffic", lambda: busiest(client, part, names, at_s))
        return found or Traffic()

    def _switch(self) -> SwitchFacts:
        try:
            states: Mapping[str, bool] = board_of(None, self.clients, self.deployment).states()
        except OpsError as error:
            self.unseen.append(Unseen("", "switch states", str(error)))
            states = {}
        if self.deployment.switch == "standby-takes-over":
            return SwitchFacts({}, states)
        arc, config = self.deployment.arc, self.clients.of("route53-recovery-control-config", ARC_REGION)
        cluster = self._read(ARC_REGION, "cluster", lambda: config.describe_cluster(ClusterArn=arc.cluster_arn))
        panel = arc.control_panel_arn
        controls = self._read(
            ARC_REGION, "routing controls", lambda: config.list_routing_controls(ControlPanelArn=panel)
        )
        rules = self._read(ARC_REGION, "safety rules", lambda: config.list_safety_rules(ControlPanelArn=panel))
        return SwitchFacts(
            endpoints={each.url: self._ask(each.url, each.region) for each in arc.endpoints},
            states=states,
            cluster=None if cluster is None else cluster["Cluster"],
            controls=None if controls is None else tuple(controls["RoutingControls"]),
            rules=None if rules is None else tuple(rules["SafetyRules"]),
        )

    def _ask(self, url: str, region: str) -> str:
        """What is wrong with one endpoint of the cluster; empty when it answers."""
        client = self.clients.of("route53-recovery-cluster", region, url)
        arn = self.deployment.regions[0].routing_control_arn
        try:
            again(lambda: client.get_routing_control_state(RoutingControlArn=arn), tries=2)
        except (ClientError, BotoCoreError) as error:
            return error_code(error)
        return ""

    def _names(self) -> NameFacts:
        client, zone = self.clients.of("route53", ZONE_REGION), self.deployment.zone_id

        def read() -> list[Document]:
            pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
            return [record for page in pages for record in page["ResourceRecordSets"]]

        records = self._read(ZONE_REGION, "records", read)
        idents = {part.health_check_id for part in self.deployment.regions}
        idents |= {str(each["HealthCheckId"]) for each in records or () if each.get("HealthCheckId")}
        checks: dict[str, Document | None] = {}
        for ident in sorted(idents):
            found: Document | None = self._read(
                ZONE_REGION, f"health check {ident}", partial(client.get_health_check, HealthCheckId=ident), {}
            )
            if found is not None:
                checks[ident] = found.get("HealthCheck")
        return NameFacts(None if records is None else tuple(records), checks)


def invoked(methods: Sequence[Method] | None) -> str:
    """The ARN of the function that the API's methods invoke, with its alias; empty when they invoke none."""
    for method in methods or ():
        if INVOKED in method.uri:
            return method.uri.partition(INVOKED)[2].removesuffix("/invocations")
    return ""


def _statements(document: Any) -> list[Document]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)
