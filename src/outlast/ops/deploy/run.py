"""The whole deployment, in order: what the next stack needs is an output of an earlier one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from outlast.ops.act.boards import board_of
from outlast.ops.clients import Clients, again
from outlast.ops.deploy.package import Archive, canary_archive, function_archive
from outlast.ops.deploy.parameters import ARC_REGION, ZONE_REGION, Parameters, Wish
from outlast.ops.deploy.stacks import Progress, StackEvent, StackMaker, StackPlan, StackResult
from outlast.ops.deployment import Arc, ClusterEndpoint, Deployed, Deployment, RegionPart, Tables
from outlast.ops.names import NameServer
from outlast.ops.observe.facts import capacities, throughputs
from outlast.ops.outcome import OpsError

VALIDATIONS: Final = ".acm-validations.aws"
WHICH: Final = ("First", "Second")


class Deployer:
    """Deploys one wish. Every step may be repeated; a second run changes what differs and nothing else."""

    def __init__(self, clients: Clients, wish: Wish, progress: Progress) -> None:
        self._clients = clients
        self._wish = wish
        self._progress = progress
        self._done: dict[tuple[str, str], StackResult] = {}
        self._ended = threading.Event()

    def run(self) -> Deployment:
        """Make everything, turn the routing controls on, and say what was made. Raises OpsError."""
        wish = self._wish = replace(self._wish, switch=self._wish.switch or self._switch_before())
        function, canary = function_archive(wish.source), canary_archive(wish.source)
        given = Parameters(wish, self._out, function.key, canary.key)
        self._together(
            [
                partial(self._make, "zone", ZONE_REGION, given.zone),
                partial(self._make, "data", wish.first_region, given.data),
                *(partial(self._make, "foundation", region, given.foundation) for region in wish.all_regions),
            ]
        )
        self._together([partial(self._upload, region, (function, canary)) for region in wish.all_regions])
        self._together([partial(self._application, region, given) for region in wish.app_regions])
        routing = partial(self._make, "routing", ARC_REGION, given.routing)
        looking = [partial(self._make, "watch", region, partial(given.watch, region)) for region in wish.app_regions]
        looking.append(partial(self._make, "observer", wish.observer_region, given.observer))
        if wish.switch == "standby-takes-over":
            self._together(looking)
            routing()
        else:
            self._together([routing, *looking])
        deployment = self._deployment()
        self._switch_on(deployment)
        return deployment

    def prepare(self) -> Deployment:
        """What an evacuation needs, read anew from the stacks; changes nothing. Raises OpsError when one is missing."""
        wish = self._wish
        wanted = [("zone", ZONE_REGION), ("data", wish.first_region), ("routing", ARC_REGION)]
        wanted += [("foundation", region) for region in wish.all_regions]
        wanted += [(name, region) for name in ("application", "watch") for region in wish.app_regions]
        wanted.append(("observer", wish.observer_region))
        self._together([partial(self._find, name, region) for name, region in wanted])
        return self._deployment()

    def _find(self, name: str, region: str) -> None:
        outputs = self._maker(region).outputs(self._stack_name(name))
        if not outputs:
            raise OpsError(f"There is no stack {self._stack_name(name)} in {region}: `outlast deploy` makes it.")
        plan = StackPlan(self._stack_name(name), region, "", {})
        self._done[name, region] = StackResult(plan, outputs, changed=False, created=False)

    def remove(self) -> None:
        """Delete all stacks, last made first; buckets are emptied before. Raises OpsError."""
        wish = self._wish
        watches = [("watch", region) for region in wish.app_regions]
        for group in (
            [("observer", wish.observer_region), ("routing", ARC_REGION), *watches],
            [("application", region) for region in wish.app_regions],
            [("data", wish.first_region), ("zone", ZONE_REGION)],
        ):
            if group[-1][0] == "zone":
                self._forget_validations()
            self._together([partial(self._remove, name, region) for name, region in group])
        self._together([partial(self._remove_foundation, region) for region in wish.all_regions])

    def _make(self, name: str, region: str, parameters: Callable[[], Mapping[str, str]]) -> StackResult:
        plan = StackPlan(self._stack_name(name), region, self._wish.template(name), parameters())
        self._done[name, region] = result = self._maker(region).ensure(plan)
        return result

    def _application(self, region: str, given: Parameters) -> None:
        """The application, and a fresh deployment of its API when an existing one was changed.

        CloudFormation never renews a deployment: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
        aws-resource-apigateway-deployment.html
        """
        result = self._make("application", region, partial(given.application, region))
        if result.changed and not result.created:
            client = self._clients.of("apigateway", region)
            outputs = result.outputs
            again(lambda: client.create_deployment(restApiId=outputs["ApiId"], stageName=outputs["StageName"]))
            self._progress(StackEvent(result.plan.name, region, "API", "AWS::ApiGateway::Deployment", "RENEWED"))

    def _upload(self, region: str, archives: Sequence[Archive]) -> None:
        bucket = self._out("foundation", region, "CodeBucket")
        client = self._clients.of("s3", region)
        for archive in archives:
            again(partial(client.put_object, Bucket=bucket, Key=archive.key, Body=archive.data))
            self._progress(StackEvent(bucket, region, archive.key, "AWS::S3::Object", "UPLOADED"))

    def _together(self, tasks: Sequence[Callable[[], object]]) -> None:
        """Run the tasks side by side; the first failure is raised once all have ended.

        Interrupted, none of them waits for its stack any more: CloudFormation goes on, and the next run waits for it.
        """
        with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
            try:
                running = [pool.submit(task) for task in tasks]
                wait(running)
            except BaseException:
                self._ended.set()
                raise
        for each in running:
            each.result()

    def _maker(self, region: str) -> StackMaker:
        client, poll_s = self._clients.of("cloudformation", region), self._wish.rhythm.poll_s
        return StackMaker(client, self._progress, poll_s=poll_s, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise OpsError("It was interrupted.")

    def _stack_name(self, name: str) -> str:
        return f"{self._wish.application}-{name}"

    def _out(self, name: str, region: str, output: str) -> str:
        return self._done[name, region].outputs[output]

    def _deployment(self) -> Deployment:
        wish = self._wish
        panel = self._done["routing", ARC_REGION].outputs
        servers = self._out("zone", ZONE_REGION, "NameServers").split(",")
        tables = self._done["data", wish.first_region].outputs
        made = Deployment(
            kind=self._clients.kind,
            application=wish.application,
            made_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            zone_id=self._out("zone", ZONE_REGION, "ZoneId"),
            service_name=wish.service_name,
            record_ttl_s=wish.rhythm.record_ttl_s,
            regions=tuple(self._part(region, which) for region, which in zip(wish.app_regions, WHICH, strict=True)),
            observer_region=wish.observer_region,
            name_canary=self._out("observer", wish.observer_region, "NameCanary"),
            tables=Tables(tables["CustomersTable"], tables["ProductsTable"], tables["OrdersTable"]),
            arc=self._arc(panel) if "ClusterArn" in panel else Arc("", "", "", ()),
            switch="routing-controls" if "ClusterArn" in panel else "standby-takes-over",
            name_servers=wish.name_servers or addresses_of(servers),
            https_port=wish.https_port,
            ca_path=wish.ca_path,
            canary_period_s=wish.rhythm.canary_period_s,
            alarm_period_s=wish.rhythm.alarm_period_s,
        )
        capacity = {name: asdict(each) for name, each in capacities(self._clients, made).items()}
        units = {name: each.document() for name, each in throughputs(self._clients, made, time.time()).items()}
        return replace(made, capacity=capacity, throughput=units)

    def _switch_before(self) -> Deployed:
        """A standby is not replaced by a cluster, which costs, because somebody left an option out."""
        outputs = self._maker(ARC_REGION).outputs(self._stack_name("routing"))
        return "standby-takes-over" if outputs and "ClusterArn" not in outputs else "routing-controls"

    def _arc(self, panel: Mapping[str, str]) -> Arc:
        config = self._clients.of("route53-recovery-control-config", ARC_REGION)
        cluster = again(lambda: config.describe_cluster(ClusterArn=panel["ClusterArn"]))["Cluster"]
        endpoints = tuple(ClusterEndpoint(each["Endpoint"], each["Region"]) for each in cluster["ClusterEndpoints"])
        rule = again(lambda: config.describe_safety_rule(SafetyRuleArn=panel["SafetyRuleArn"]))
        wait_ms = (rule.get("AssertionRule") or rule.get("GatingRule") or {}).get("WaitPeriodMs")
        return Arc(panel["ClusterArn"], panel["ControlPanelArn"], panel["SafetyRuleArn"], endpoints, wait_ms)

    def _part(self, region: str, which: str) -> RegionPart:
        application = self._done["application", region].outputs
        watch = self._done["watch", region].outputs
        routing = self._done["routing", ARC_REGION].outputs
        observer = self._done["observer", self._wish.observer_region].outputs
        return RegionPart(
            name=region,
            api_id=application["ApiId"],
            api_url=application["ApiUrl"],
            api_name=f"{self._wish.application}-api",
            stage=application["StageName"],
            domain=application["RegionalDomain"],
            function=application["FunctionName"],
            canary=watch["CanaryName"],
            alarm=watch["ImpairedAlarm"],
            routing_control_arn=routing.get(f"{which}ControlArn", ""),
            health_check_id=routing[f"{which}HealthCheckId"],
            code_bucket=self._out("foundation", region, "CodeBucket"),
            observer_canary=observer[f"{which}Canary"],
            observer_alarm=observer[f"{which}Alarm"],
        )

    def _switch_on(self, deployment: Deployment) -> None:
        """Routing controls start off: a new pair is switched on. One that an operator has switched off stays off.

        Stop alarms start quiet, which is on.
        """
        board = board_of(None, self._clients, deployment)
        if not any(board.states().values()):
            board.set(dict.fromkeys(deployment.region_names, True))
            for region in deployment.region_names:
                self._progress(StackEvent("routing control", region, region, "routing control", "ON"))

    def _remove(self, name: str, region: str) -> None:
        self._maker(region).remove(self._stack_name(name), region)

    def _forget_validations(self) -> None:
        """Delete the records that certificates were validated by: they stay when certificates go, and keep the zone.

        https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
        """
        ident = self._maker(ZONE_REGION).outputs(self._stack_name("zone")).get("ZoneId")
        if not ident:
            return
        client = self._clients.of("route53", ZONE_REGION)
        pages = again(lambda: list(client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=ident)))
        left = [each for page in pages for each in page["ResourceRecordSets"] if _validates(each)]
        if left:
            changes = [{"Action": "DELETE", "ResourceRecordSet": record} for record in left]
            again(lambda: client.change_resource_record_sets(HostedZoneId=ident, ChangeBatch={"Changes": changes}))
            self._progress(StackEvent("zone", ZONE_REGION, "validation records", "AWS::Route53::RecordSet", "DELETED"))

    def _remove_foundation(self, region: str) -> None:
        maker = self._maker(region)
        for bucket in maker.outputs(self._stack_name("foundation")).values():
            self._empty(bucket, region)
        maker.remove(self._stack_name("foundation"), region)

    def _empty(self, bucket: str, region: str) -> None:
        client = self._clients.of("s3", region)
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                client.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def _validates(record: Mapping[str, Any]) -> bool:
    """Whether it is what ACM asks for."""
    values = [str(each["Value"]) for each in record.get("ResourceRecords", ())]
    return record["Type"] == "CNAME" and bool(values) and all(each.rstrip(".").endswith(VALIDATIONS) for each in values)


def addresses_of(names: Sequence[str]) -> tuple[NameServer, ...]:
    """The IPv4 addresses of a zone's name servers, looked up now so that an evacuation need not."""
    found: list[NameServer] = []
    for name in names:
        try:
            infos = socket.getaddrinfo(name, 53, socket.AF_INET, socket.SOCK_DGRAM)
        except OSError:
            continue
        found += [NameServer(str(info[4][0])) for info in infos]
    return tuple(dict.fromkeys(found))
