"""A CodeBuild that is on this machine: it runs what a build is given, with the engine that is here."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import contract as contracts
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from tests.fakes.codebuild import Build

PLACE = contracts.RemoteBuild(project="shop-stg-build", bucket="shop-stg-build-111111111111", platform="linux/amd64")
AWS = '#!/bin/sh\ntest "$*" = "ecr get-login-password" && echo a-password\n'


class Elsewhere(FakeAccount):
    """An account whose registry and parameters are *real*; `said` is what the builds printed."""

    def __init__(self, real: Account, environ: Mapping[str, str], *, docker: str) -> None:
        super().__init__(cluster="shop-stg")
        self.ecr, self.ssm = real.ecr, real.ssm  # type: ignore[assignment]  # what in it is no fake
        self.environ, self.docker = environ, docker
        self.said: list[str] = []
        self.codebuild.projects.add(PLACE.project)
        self.codebuild.doing = self.run
        self.s3.objects[PLACE.bucket] = {}

    def contract(self, repository: str) -> contracts.Contract:
        """Return a contract with nothing in it but *repository* and the project."""
        return contracts.Contract(
            version=1,
            app="shop",
            environment="stg",
            account_id=self.account_id,
            region=self.region,
            cluster="shop-stg",
            repository=repository,
            ledger="",
            services={},
            remote_build=PLACE,
        )

    def run(self, build: Build) -> None:
        """Do what CodeBuild does: unpack the source, run the commands of each phase, stop at the first that fails."""
        bucket, _, key = build.request["sourceLocationOverride"].partition("/")
        with tempfile.TemporaryDirectory() as folder:
            source, home = Path(folder, "source"), Path(folder, "home")
            home.mkdir()
            (home / "docker").symlink_to(self.docker)
            (home / "aws").write_text(AWS)
            (home / "aws").chmod(0o755)
            with zipfile.ZipFile(io.BytesIO(self.s3.objects[bucket][key])) as packed:
                packed.extractall(source)
            document = json.loads((source / "buildspec.yml").read_text())
            commands = [one for phase in document["phases"].values() for one in phase["commands"]]
            own = {"DOCKER_CONFIG": str(home), "PATH": f"{home}:{os.environ['PATH']}"}
            given = document["env"]["variables"] | self.values(document["env"].get("parameter-store", {}))
            ended = subprocess.run(
                [document["env"]["shell"], "-e", "-c", "\n".join(commands)],
                cwd=source,
                env={**os.environ, **self.environ, **given, **build.variables, **own},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # no terminal, as there
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            for line in ended.stdout.splitlines():
                self.logs.print(self.codebuild.group, build.stream, f"{line}\n")
                self.said.append(line)
            build.status = "FAILED" if ended.returncode else "SUCCEEDED"

    def values(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Return the value of each variable's parameter, as its project's role reads it."""
        found = {name: self.ssm.get_parameter(Name=one, WithDecryption=True) for name, one in parameters.items()}
        return {name: str(one["Parameter"]["Value"]) for name, one in found.items()}
