"""SSM Parameter Store: get and put by name, by path; decryption on demand; what AWS refuses of names and values."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation

STANDARD_BYTES, ADVANCED_BYTES = 4096, 8192


class FakeSsm(FakeClient):
    """The `ssm` client. `parameters` holds each parameter's versions, oldest first: (type, value).

    `puts_per_second` is how many PutParameter calls AWS takes in a second; without it there is no limit.
    """

    service: ClassVar[str] = "ssm"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.parameters: dict[str, list[tuple[str, str]]] = {}
        self.tiers: dict[str, str] = {}
        self.puts_per_second = 0
        self._puts: list[float] = []
        self._modified: dict[str, float] = {}

    def give(self, name: str, value: str, *, kind: str = "String") -> None:
        """Have the parameter, without a call."""
        self.parameters.setdefault(name, []).append((kind, value))
        self._modified[name] = self.clock.time()

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
        by_name = {asked: asked.rpartition(":parameter")[2] for asked in request["Names"]}  # each may be an ARN
        known = [name for name in by_name.values() if name in self.parameters]
        decrypt = bool(request.get("WithDecryption"))
        return {
            "Parameters": [self._describe(name, len(self.parameters[name]), decrypt=decrypt) for name in known],
            **(
                {"InvalidParameters": unknown}
                if (unknown := sorted(asked for asked, name in by_name.items() if name not in known))
                else {}
            ),
        }

    @operation
    def put_parameter(self, **request: Any) -> Response:
        now = self.clock.monotonic()
        self._puts = [at for at in self._puts if now - at < 1]
        if self.puts_per_second and len(self._puts) >= self.puts_per_second:
            raise Refused("ThrottlingException", "Rate exceeded")
        self._puts.append(now)
        versions = self.parameters.get(request["Name"], [])
        if versions and not request.get("Overwrite"):
            raise Refused("ParameterAlreadyExists", "The parameter already exists.")
        tier = request.get("Tier", "Standard")
        if len(request["Value"].encode()) > STANDARD_BYTES and tier == "Standard":
            raise Refused("ValidationException", "Standard tier parameters support a maximum of 4096 characters.")
        if not request["Value"] or len(request["Value"].encode()) > ADVANCED_BYTES or "{{" in request["Value"]:
            raise Refused("ValidationException", "the value is empty, too long, or names another parameter")
        if self.tiers.get(request["Name"]) == "Advanced" and tier != "Advanced":
            raise Refused("ValidationException", "You can't downgrade a parameter from the advanced-parameter tier.")
        kind = request.get("Type", versions[-1][0] if versions else "String")
        if versions and versions[-1][0] != kind:
            raise Refused("HierarchyTypeMismatchException", "The parameter type can't be changed.")
        self.give(request["Name"], request["Value"], kind=kind)
        self.tiers[request["Name"]] = tier
        return {"Version": len(self.parameters[request["Name"]]), "Tier": tier}

    @operation
    def delete_parameters(self, **request: Any) -> Response:
        there = [name for name in request["Names"] if self.parameters.pop(name, None)]
        for name in there:
            self.tiers.pop(name, None)
        gone = sorted(set(request["Names"]) - set(there))
        known = {"DeletedParameters": there} if there else {}
        return {**known, **({"InvalidParameters": gone} if gone else {})}

    @operation
    def get_parameters_by_path(self, **request: Any) -> Response:
        decrypt = bool(request.get("WithDecryption"))
        page, rest = self._page(request["Path"], request)
        return {
            "Parameters": [self._describe(name, len(self.parameters[name]), decrypt=decrypt) for name in page],
            **rest,
        }

    @operation
    def describe_parameters(self, **request: Any) -> Response:
        (found,) = (one for one in request["ParameterFilters"] if one["Key"] == "Path")
        page, rest = self._page(found["Values"][0], request)
        return {"Parameters": [self._metadata(name) for name in page], **rest}

    def _page(self, path: str, request: Response) -> tuple[list[str], Response]:
        """Return the names right below *path* on the page that is asked for; the first page is empty, as AWS may do."""
        names = sorted(name for name in self.parameters if name.rpartition("/")[0] == path)
        token = request.get("NextToken")
        if token is None:
            return [], {"NextToken": "0"}
        start, size = int(token), request["MaxResults"]
        rest = {"NextToken": str(start + size)} if start + size < len(names) else {}
        return names[start : start + size], rest

    def _metadata(self, name: str) -> dict[str, Any]:
        described = self._describe(name, len(self.parameters[name]), decrypt=False)
        kept = {key: value for key, value in described.items() if key != "Value"}
        by = "arn:aws:sts::000000000000:assumed-role/deploy/ada"
        return {**kept, "Tier": self.tiers.get(name, "Standard"), "LastModifiedUser": by}

    def _describe(self, name: str, version: int, *, decrypt: bool) -> dict[str, Any]:
        kind, value = self.parameters[name][version - 1]
        hidden = kind == "SecureString" and not decrypt
        return {
            "Name": name,
            "Type": kind,
            "Value": "AQICAHencrypted" if hidden else value,
            "Version": version,
            "LastModifiedDate": when(self._modified[name]),
            "ARN": f"arn:aws:ssm:ap-northeast-1:000000000000:parameter{name}",
            "DataType": "text",
        }
