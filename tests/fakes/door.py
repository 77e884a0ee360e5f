"""What every fake client has in common: requests checked against botocore's own model, calls counted, planned refusals.

A request that AWS's model does not know is refused as boto3 does (`ParamValidationError`); an error of AWS arrives
as `deploylib.aws` would raise it (`AwsError` with AWS's code).
"""

from __future__ import annotations

import copy
import functools
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import botocore.loaders
from botocore.exceptions import OperationNotPageableError, ParamValidationError
from botocore.model import ServiceModel
from botocore.paginate import Paginator, PaginatorModel
from botocore.validate import ParamValidator

from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.access import Policy
    from tests.fakes.clock import FakeClock

READS = ("describe_", "get_", "list_", "filter_", "batch_get_", "batch_check_", "query", "simulate_")

Request = dict[str, Any]
Response = dict[str, Any]


class Refused(Exception):  # noqa: N818  # it says what AWS did
    """AWS refuses the call that is being answered."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that was answered or refused: when, which, with what."""

    at: float
    operation: str
    request: Request

    @property
    def writes(self) -> bool:
        return not self.operation.startswith(READS)


@dataclass(slots=True, kw_only=True)
class Refusal:
    """A refusal to come: of the next *times* calls of *operation* (of any, when empty)."""

    operation: str
    code: str
    message: str
    times: int
    done: bool


def operation(method: Callable[..., Response]) -> Callable[..., Response]:
    """Make *method* an operation of its client: checked, counted, refusable; its answer belongs to the caller."""

    @functools.wraps(method)
    def call(self: FakeClient, **request: Any) -> Response:
        return self.answer(method, request)

    return call


@functools.cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


@functools.cache
def _operations(service: str) -> dict[str, str]:
    names = service_model(service).operation_names
    return {botocore.xform_name(name): name for name in names}


class FakeClient:
    """A client of one AWS service. `log` has every call in order; `calls` counts as `deploylib.aws.Account` does."""

    service: ClassVar[str]

    def __init__(self, clock: FakeClock, *, calls: Counter[str] | None = None, log: list[Call] | None = None) -> None:
        self.clock = clock
        self.calls: Counter[str] = Counter() if calls is None else calls
        self.log: list[Call] = [] if log is None else log
        self.meta = SimpleNamespace(
            service_model=service_model(self.service),
            region_name="ap-northeast-1",
            endpoint_url=f"https://{self.service}.ap-northeast-1.amazonaws.com",
        )
        self.policy: Policy | None = None
        self._refusals: list[Refusal] = []
        self.fault: Callable[[str], str] | None = None  # says with which code an operation fails now, if it does

    @property
    def writes(self) -> tuple[Call, ...]:
        """The calls of this client that change something, refused ones too."""
        mine = _operations(self.service)
        return tuple(one for one in self.log if one.writes and one.operation in mine)

    def refuse(
        self, operation: str, code: str, message: str = "refused by the test", *, times: int = 1, done: bool = False
    ) -> None:
        """Refuse the next calls of *operation*. *done*: AWS does it, but its answer is lost on the way."""
        assert not operation or operation in _operations(self.service), f"{self.service} has no operation {operation}"
        self._refusals.append(Refusal(operation=operation, code=code, message=message, times=times, done=done))

    def throttle(self, times: int, operation: str = "") -> None:
        """Refuse the next *times* calls because there were too many of them."""
        self.refuse(operation, "ThrottlingException", "Rate exceeded", times=times)

    def answer_again(self) -> None:
        """Take back every refusal that was still to come."""
        self._refusals.clear()

    def answer(self, method: Callable[..., Response], request: Request) -> Response:
        name = method.__name__
        with self.clock.lock:
            self._validate(name, request)
            self.calls[f"{self.service}:{_operations(self.service)[name]}"] += 1
            self.log.append(Call(at=self.clock.monotonic(), operation=name, request=copy.deepcopy(request)))
            self._authorize(name, request)
            refusal = self._refusal(name)
            if refusal and not refusal.done:
                raise self._error(name, refusal.code, refusal.message)
            try:
                response = method(self, **copy.deepcopy(request))
            except Refused as refused:
                raise self._error(name, refused.code, str(refused)) from refused
            if refusal:
                raise self._error(name, refusal.code, refusal.message)
            self._conform(name, response)
            return copy.deepcopy(response)

    def _authorize(self, name: str, request: Request) -> None:
        """Refuse what the caller's policy does not allow; without a policy everything is."""
        action = self.policy.refused(self.service, _operations(self.service)[name], request) if self.policy else ""
        if action:
            raise self._error(name, "AccessDeniedException", f"you are not authorized to perform: {action}")

    def can_paginate(self, operation_name: str) -> bool:
        try:
            self.get_paginator(operation_name)
        except OperationNotPageableError:
            return False
        return True

    def get_paginator(self, operation_name: str) -> Paginator[Any]:
        """Return botocore's own paginator over this client."""
        model = PaginatorModel(botocore.loaders.Loader().load_service_model(self.service, "paginators-1"))
        name = _operations(self.service)[operation_name]
        try:
            config = model.get_paginator(name)
        except ValueError as error:
            raise OperationNotPageableError(operation_name=operation_name) from error
        return Paginator(getattr(self, operation_name), config, self.meta.service_model.operation_model(name))

    def _validate(self, name: str, request: Request) -> None:
        shape = self.meta.service_model.operation_model(_operations(self.service)[name]).input_shape
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())

    def _conform(self, name: str, response: Response) -> None:
        """Answer nothing that AWS could not answer: a misspelt field would let a wrong reader pass."""
        shape = self.meta.service_model.operation_model(_operations(self.service)[name]).output_shape
        if shape is None:  # AWS answers it with nothing at all
            return
        report = ParamValidator().validate(response, shape)
        assert not report.has_errors(), f"the fake's answer to {name}: {report.generate_report()}"

    def _refusal(self, name: str) -> Refusal | None:
        if self.fault and (code := self.fault(name)):
            return Refusal(operation=name, code=code, message="a fault", times=0, done=False)
        found = next((one for one in self._refusals if one.times > 0 and one.operation in ("", name)), None)
        if found:
            found.times -= 1
        return found

    def _error(self, name: str, code: str, message: str) -> AwsError:
        operation_name = _operations(self.service)[name]
        return AwsError(f"fake: {self.service} refused {operation_name}: {code} {message}".rstrip(), code=code)
