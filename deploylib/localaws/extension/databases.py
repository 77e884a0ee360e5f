"""Databases that the host and the tasks reach, from an image of our own, with a password that RDS manages."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import rds, secretsmanager

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.settings import Settings

Params = dict[str, Any]
PASSWORD_BYTES = 24


def install(settings: Settings, engine: Engine, addresses: tuple[str, ...]) -> None:
    """Mend RDS; databases listen on *addresses* only."""
    patching.require(rds, "_p", "_resolve_instance", "_single_instance_response")
    patching.require(rds, "_clusters", "_next_port", "_parse_member_list", "_xml")
    patching.require(secretsmanager, "_resolve", "create_secret_in_process", "delete_secret_in_process")
    _install_names(settings.instance)
    _install_image(settings.postgres_image)
    _install_containers(engine, addresses)
    _install_managed_password()
    _install_clusters(addresses[-1])
    _install_rotation()


def _install_names(instance: str) -> None:
    """Stock names are the same in every emulator of one account and region: two checkouts would share a container."""

    @patching.wrap(rds, "_rds_docker_scope(account_id, region)")
    def scope(original: Callable[..., str], account_id: str | None = None, region: str | None = None) -> str:
        return f"{instance}-{original(account_id, region)}"


def _install_image(image: str) -> None:
    @patching.wrap(rds, "_docker_image_for_engine(engine, engine_version, user, password, db_name)")
    def chosen(original: Callable[..., Any], engine: str, version: str, *credentials: str) -> Any:
        stock, *rest = original(engine, version, *credentials)
        ours = image.format(major=version.partition(".")[0]) if image and "postgres" in engine else stock
        return (ours, *rest)


def _install_containers(engine: Engine, addresses: tuple[str, ...]) -> None:
    @patching.wrap(rds, "_run_rds_container(docker_client, engine, container_kwargs, tls_names, tls_ips)")
    def run(original: Callable[..., Any], client: Any, kind: str, arguments: Params, **tls: Any) -> Any:
        ports = {inside: [(address, port) for address in addresses] for inside, port in arguments["ports"].items()}
        for volume in arguments.get("volumes") or {}:
            engine.client.volumes.create(volume, labels=engine.labels)
        with engine.gate.passing():
            tls["tls_ips"] = (*tls.get("tls_ips", ()), *addresses)
            return original(client, kind, {**arguments, "ports": ports}, **tls)


def _install_managed_password() -> None:
    """MiniStack knows ManageMasterUserPassword of clusters, and ignores it of instances."""

    @patching.wrap(rds, "_create_db_instance(p)")
    def create(original: Callable[..., Any], params: Params) -> Any:
        if rds._p(params, "ManageMasterUserPassword") != "true":
            return original(params)
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        answer = original({**params, "MasterUserPassword": [password]})
        if answer[0] != 200:  # noqa: PLR2004 - HTTP
            return answer
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        instance["MasterUserSecret"] = _secret(instance, password, rds._p(params, "MasterUserSecretKmsKeyId"))
        return rds._single_instance_response("CreateDBInstanceResponse", "CreateDBInstanceResult", instance)

    @patching.wrap(rds, "_delete_db_instance(p)")
    def delete(original: Callable[..., Any], params: Params) -> Any:
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier")) or {}
        answer = original(params)
        if answer[0] == 200 and instance.get("MasterUserSecret"):  # noqa: PLR2004 - HTTP
            secretsmanager.delete_secret_in_process(instance["MasterUserSecret"]["SecretArn"])
        return answer

    @patching.wrap(rds, "_instance_xml(i)")
    def described(original: Callable[..., str], instance: Params) -> str:
        xml = original(instance)
        if not (managed := instance.get("MasterUserSecret")):
            return xml
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in managed.items())
        return f"{xml}<MasterUserSecret>{fields}</MasterUserSecret>"


def _install_clusters(address: str) -> None:
    """Give a cluster its address when it is made, and keep which of its logs are exported.

    MiniStack gives it another one with its first instance: whoever was told the first could not connect.
    """

    @patching.wrap(rds, "_create_db_cluster(p)")
    def create(original: Callable[..., Any], params: Params) -> Any:
        status, headers, body = original(params)
        cluster = rds._clusters.get(rds._p(params, "DBClusterIdentifier")) if status == 200 else None  # noqa: PLR2004 - HTTP
        if cluster is None:
            return status, headers, body
        cluster["_shared_host_port"] = cluster["Port"] = rds._next_port()
        cluster["Endpoint"] = cluster["ReaderEndpoint"] = address
        cluster["EnabledCloudwatchLogsExports"] = rds._parse_member_list(params, "EnableCloudwatchLogsExports")
        told = f"<CreateDBClusterResult><DBCluster>{rds._cluster_xml(cluster)}</DBCluster></CreateDBClusterResult>"
        return rds._xml(status, "CreateDBClusterResponse", told)

    @patching.wrap(rds, "_cluster_xml(c)")
    def described(original: Callable[..., str], cluster: Params) -> str:
        logs = "".join(f"<member>{one}</member>" for one in cluster.get("EnabledCloudwatchLogsExports", []))
        return f"{original(cluster)}<EnabledCloudwatchLogsExports>{logs}</EnabledCloudwatchLogsExports>"


def _install_rotation() -> None:
    """MiniStack can begin to rotate a secret but not end it, so that Terraform could not destroy the rotation."""

    @patching.wrap(secretsmanager, "handle_request(method, path, headers, body, query_params)")
    async def handled(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        if not headers.get("x-amz-target", "").endswith(".CancelRotateSecret"):
            return await original(method, path, headers, *rest)
        _, secret = secretsmanager._resolve(json.loads(rest[0]).get("SecretId"))
        if not secret:
            message = "Secrets Manager can't find the specified secret."
            return secretsmanager.error_response_json("ResourceNotFoundException", message, 400)
        secret["RotationEnabled"] = False
        secret.pop("RotationRules", None)
        return secretsmanager.json_response({"ARN": secret["ARN"], "Name": secret["Name"]})


def _secret(instance: Params, password: str, key: str) -> dict[str, str]:
    name = f"rds!db-{new_uuid()}"
    value = json.dumps({"username": instance["MasterUsername"], "password": password})
    description = f"Secret managed by RDS for DB instance {instance['DBInstanceIdentifier']}"
    arn = secretsmanager.create_secret_in_process(name, value, description=description)
    default = f"arn:aws:kms:{get_region()}:{get_account_id()}:key/aws-secretsmanager-default"
    return {"SecretArn": str(arn), "SecretStatus": "active", "KmsKeyId": key or default}
