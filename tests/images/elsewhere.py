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

from deploylib import contract
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from tests.fakes.codebuild import Build

PLACE = contract.RemoteBuild(project="shop-stg-build", bucket="shop-stg-build-111111111111", platform="linux/amd64")
AWS = '#!/bin/sh\ntest "$*" = "ecr get-login-password" && echo a-password\n'


class Elsewhere(FakeAccount):
    """An account whose registry is *real*; `said` is what the builds printed."""

    def __init__(self, real: Account, environ: Mapping[str, str]) -> None:
        super().__init__(cluster="shop-stg")
        self.ecr = real.ecr  # type: ignore[assignment]  # the one thing in it that is no fake
        self.environ = environ
        self.said: list[str] = []
        self.codebuild.projects.add(PLACE.project)
        self.codebuild.doing = self.run
        self.s3.objects[PLACE.bucket] = {}

    def run(self, build: Build) -> None:
        """Do what CodeBuild does: unpack the source, run the commands of each phase, stop at the first that fails."""
        bucket, _, key = build.request["sourceLocationOverride"].partition("/")
        with tempfile.TemporaryDirectory() as folder:
            source, home = Path(folder, "source"), Path(folder, "home")
            home.mkdir()
            (home / "aws").write_text(AWS)
            (home / "aws").chmod(0o755)
            with zipfile.ZipFile(io.BytesIO(self.s3.objects[bucket][key])) as packed:
                packed.extractall(source)
            document = json.loads((source / "buildspec.yml").read_text())
            commands = [one for phase in document["phases"].values() for one in phase["commands"]]
            own = {"DOCKER_CONFIG": str(home), "PATH": f"{home}:{os.environ['PATH']}"}
            ended = subprocess.run(
                [document["env"]["shell"], "-e", "-c", "\n".join(commands)],
                cwd=source,
                env={**os.environ, **self.environ, **document["env"]["variables"], **build.variables, **own},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # no terminal, as there
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            self.said += ended.stdout.splitlines()
            build.status = "FAILED" if ended.returncode else "SUCCEEDED"
