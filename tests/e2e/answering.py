"""An AWS that only answers: moto's server in this process, and Terraform applied against it.

Nothing runs in it and nothing in it goes on by itself. What is proved with it is that a module can be applied, that a
second plan is empty, and that AWS's interfaces take what we send.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import types
import urllib.request
import warnings
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploylib import process
from deploylib.aws import Account
from deploylib.toolchain import machine, provider_mirror, terraform
from tests.e2e.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REGION, ACCOUNT_ID = "ap-northeast-1", "123456789012"
PROVIDER = f"""
provider "aws" {{
  region                      = "{REGION}"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
  max_retries                 = 3 # what moto cannot do is an error of the server, and else asked for during minutes
}}
"""
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The server at *address*; whatever of boto3 is made without a word of where speaks to it."""

    address: str

    def client(self, service: str) -> Any:
        make: Any = boto3.client  # the name is data here
        return make(service, region_name=REGION)

    def account(self, environment: str) -> Account:
        return Account(boto3.Session(region_name=REGION), environment=environment)

    def apply(
        self, folder: Path, code: str, *modules: str, variables: Mapping[str, str] = NO_VARIABLES
    ) -> dict[str, Any]:
        """Apply *code* in *folder*, with copies of our *modules* in `./modules`; return its outputs.

        A second plan has to be empty.
        """
        for name in modules:
            shutil.copytree(ROOT / "terraform/modules" / name, folder / "modules" / name)
        (folder / "main.tf").write_text(PROVIDER + code, encoding="utf-8")
        self.terraform(folder, "init", "-input=false")
        self.terraform(folder, "apply", "-auto-approve", "-input=false", variables=variables)
        self.terraform(folder, "plan", "-detailed-exitcode", "-input=false", variables=variables)
        outputs = json.loads(self.terraform(folder, "output", "-json"))
        return {key: one["value"] for key, one in outputs.items()}

    def terraform(self, folder: Path, *words: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
        """Return what Terraform prints; anything but exit code 0 is an error."""
        program = terraform.find(ROOT)
        known = provider_mirror.environment(ROOT, machine.this(), program)
        own = {f"TF_VAR_{name}": value for name, value in variables.items()}
        environ = {**known, **own, "AWS_ENDPOINT_URL": self.address}
        return process.run([program.program, *words, "-no-color"], cwd=folder, env=environ).stdout


@contextlib.contextmanager
def serving() -> Iterator[Answering]:
    """Yield an account with nothing in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        # Nothing here comes from a browser, so that one package less is installed.
        patch.setitem(sys.modules, "flask_cors", types.SimpleNamespace(CORS=lambda _: None))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from moto.server import ThreadedMotoServer  # noqa: PLC0415  # only here, and only with the line above
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        for name, value in {"ENDPOINT_URL": address, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
            patch.setenv(f"AWS_{name}", value)
        try:
            urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()  # noqa: S310 - ours
            yield Answering(address=address)
        finally:
            server.stop()
