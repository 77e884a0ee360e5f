"""SSM Parameter Store: get and put by name, decryption on demand."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation

STANDARD_BYTES = 4096


class FakeSsm(FakeClient):
    """The `ssm` client. `parameters` holds each parameter's versions, oldest first: (type, value)."""

    service: ClassVar[str] = "ssm"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.parameters: dict[str, list[tuple[str, str]]] = {}

    def give(self, name: str, value: str, *, kind: str = "String") -> None:
        """Have the parameter, without a call."""
        self.parameters.setdefault(name, []).append((kind, value))

    @operation
    def get_parameter(self, **request: Any) -> Response:
        name, _, version = request["Name"].partition(":")
        if name not in self.parameters:
            raise Refused("ParameterNotFound", "")
        versions = self.parameters[name]
        if version and not 1 <= int(version) <= len(versions):
            raise Refused("ParameterVersionNotFound", "")
        decrypt = bool(request.get("WithDecryption"))
        return {"Parameter": self._describe(name, int(version or len(versions)), decrypt=decrypt)}

    @operation
    def get_parameters(self, **request: Any) -> Response:
        known = [name for name in request["Names"] if name in self.parameters]
        decrypt = bool(request.get("WithDecryption"))
        return {
            "Parameters": [self._describe(name, len(self.parameters[name]), decrypt=decrypt) for name in known],
            **({"InvalidParameters": unknown} if (unknown := sorted(set(request["Names"]) - set(known))) else {}),
        }

    @operation
    def put_parameter(self, **request: Any) -> Response:
        versions = self.parameters.get(request["Name"], [])
        if versions and not request.get("Overwrite"):
            raise Refused("ParameterAlreadyExists", "The parameter already exists.")
        if len(request["Value"].encode()) > STANDARD_BYTES and request.get("Tier", "Standard") == "Standard":
            raise Refused("ValidationException", "Standard tier parameters support a maximum of 4096 characters.")
        self.give(
            request["Name"], request["Value"], kind=request.get("Type", versions[-1][0] if versions else "String")
        )
        return {"Version": len(self.parameters[request["Name"]]), "Tier": "Standard"}

    def _describe(self, name: str, version: int, *, decrypt: bool) -> dict[str, Any]:
        kind, value = self.parameters[name][version - 1]
        hidden = kind == "SecureString" and not decrypt
        return {
            "Name": name,
            "Type": kind,
            "Value": "AQICAHencrypted" if hidden else value,
            "Version": version,
            "LastModifiedDate": when(self.clock.time()),
            "ARN": f"arn:aws:ssm:ap-northeast-1:000000000000:parameter{name}",
            "DataType": "text",
        }
