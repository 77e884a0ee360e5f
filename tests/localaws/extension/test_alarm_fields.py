from __future__ import annotations

from deploylib.localaws.extension.alarm_fields import rendered, told, tree

ALARM = "<member><AlarmName>cpu</AlarmName><AlarmArn>arn</AlarmArn><StateValue>OK</StateValue></member>"


def test_fields_of_the_query_protocol_become_what_they_stand_for() -> None:
    fields = {"Period": "60", "Dimensions.member.1.Name": "ClusterName", "Dimensions.member.1.Value": "c"}
    assert tree(fields) == {"Period": "60", "Dimensions": {"member": {"1": {"Name": "ClusterName", "Value": "c"}}}}


def test_lists_keep_their_order_when_they_are_written() -> None:
    fields = {f"AlarmActions.member.{number}": f"topic-{number}" for number in (10, 2, 1)}
    members = "".join(f"<member>topic-{number}</member>" for number in (1, 2, 10))
    assert rendered(tree(fields)) == f"<AlarmActions>{members}</AlarmActions>"


def test_text_is_escaped() -> None:
    assert rendered({"ComparisonOperator": "a < b"}) == "<ComparisonOperator>a &lt; b</ComparisonOperator>"


def test_an_alarm_is_told_with_everything_that_was_put() -> None:
    alarm = {"AlarmName": "cpu", "AlarmArn": "arn", "StateValue": "OK", "_asked": {"Period": "60"}}
    document = told(f"<MetricAlarms>{ALARM}</MetricAlarms>", {"cpu": alarm})
    assert "<AlarmName>cpu</AlarmName>" in document
    assert "<Period>60</Period>" in document


def test_an_alarm_that_was_put_otherwise_is_left_as_it_is() -> None:
    assert told(ALARM, {"cpu": {"AlarmName": "cpu"}}) == ALARM
