"""A task's record in MiniStack: what DescribeTasks tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.services import ecs, ecs_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a task is to stop. *failed* feeds the circuit breaker."""

    reason: str
    code: str
    failed: bool = False


class Record:
    """One task's record, written under MiniStack's lock for it."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.arn: str = task["taskArn"]
        self.id = self.arn.rpartition("/")[2]
        self.region, self.account = self.arn.split(":")[3:5]
        self._containers = {container["name"]: container for container in task["containers"]}

    def edit(self, **fields: Any) -> None:
        """Set fields of the task."""
        with resource_lock("ecs-task", self.arn):
            self.task.update(fields)

    def edit_container(self, name: str, **fields: Any) -> None:
        """Set fields of one container."""
        with resource_lock("ecs-task", self.arn):
            self._containers[name].update(fields)

    def keep(self, identifier: str) -> None:
        """Note a container of the engine as the task's."""
        with resource_lock("ecs-task", self.arn):
            self.task["_docker_ids"].append(identifier)

    def tell(self, status: str, **fields: Any) -> None:
        """Set `lastStatus`."""
        self.edit(lastStatus=status, version=int(self.task.get("version") or 1) + 1, **fields)
        ecs_metadata.set_task_status(self.arn, known_status=status)

    def tell_stopping(self, stop: Stop) -> None:
        """Set `desiredStatus`, unless the task is told to stop already."""
        if self.task["desiredStatus"] != "STOPPED":
            told = {"stoppingAt": ecs._iso(), "stoppedReason": stop.reason, "stopCode": stop.code}
            self.edit(desiredStatus="STOPPED", **told)
            ecs_metadata.set_task_status(self.arn, desired_status="STOPPED")

    def tell_stopped(self) -> None:
        """Set the last status of the task and its containers."""
        for name in self._containers:
            self.edit_container(name, lastStatus="STOPPED")
        self.tell("STOPPED", stoppedAt=ecs._iso(), _docker_ids=[])
        self.count()

    def tell_address(self, address: str, *, attached: str) -> None:
        """Set the task's network interface, as every task in `awsvpc` mode has one."""
        subnet = self.task.get("_subnet")
        details = [{"name": "subnetId", "value": subnet}] if subnet else []
        details.append({"name": "privateIPv4Address", "value": address})
        kind = "ElasticNetworkInterface"
        self.edit(attachments=[{"id": attached, "type": kind, "status": "ATTACHED", "details": details}])
        for name in self._containers:
            interface = {"attachmentId": attached, "privateIpv4Address": address}
            self.edit_container(name, networkInterfaces=[interface])

    def count(self) -> None:
        """Let the cluster count its tasks."""
        ecs._recount_cluster(ecs._cluster_name_from_arn(self.task["clusterArn"]))
