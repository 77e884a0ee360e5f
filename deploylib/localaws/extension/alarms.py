"""Alarms of CloudWatch, told back as they were put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import cloudwatch

from deploylib.localaws.extension import patching
from deploylib.localaws.extension.alarm_fields import KEPT, kept, told

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> None:
    """Keep every field of PutMetricAlarm: what goes in and what DescribeAlarms tells have the same names.

    MiniStack told a third of them to clients of the Query protocol: Terraform wanted to put the others again for ever.
    """
    patching.require(cloudwatch, "_alarms")

    @patching.wrap(cloudwatch, "_put_metric_alarm(params, cbor_data, is_cbor, is_json)")
    def put(original: Callable[..., Any], params: Any, *rest: Any) -> Any:
        answer = original(params, *rest)
        asked = {name: value[0] if isinstance(value, list) else value for name, value in params.items()}
        if alarm := cloudwatch._alarms.get(asked.get("AlarmName", "")):
            alarm[KEPT] = kept(asked)
        return answer

    @patching.wrap(cloudwatch, "_describe_alarms(params, cbor_data, is_cbor, is_json)")
    def described(original: Callable[..., Any], *args: Any) -> Any:
        status, headers, body = original(*args)
        if b"<DescribeAlarmsResult>" not in body:
            return status, headers, body
        return status, headers, told(body.decode(), cloudwatch._alarms).encode()
