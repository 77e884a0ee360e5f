"""The book of Application Auto Scaling: targets and policies are kept and told back.

Nothing is scaled: the local AWS has no metrics that a policy could follow.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

TARGET_KEY = ("ServiceNamespace", "ResourceId", "ScalableDimension")
POLICY_KEY = (*TARGET_KEY, "PolicyName")
MANY = {"ResourceIds": "ResourceId", "PolicyNames": "PolicyName"}
Document = dict[str, Any]


class MissingError(Exception):
    """What was asked for is not there."""


class Book:
    """The targets, policies and tags of one account in one region."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._targets: dict[tuple[str, ...], Document] = {}
        self._policies: dict[tuple[str, ...], Document] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def answer(self, action: str, asked: Document) -> Document:
        """Return the answer to *action*. Raises `MissingError`; `KeyError` for an action that is not known here."""
        verbs = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._targets_of,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put,
            "DescribeScalingPolicies": self._policies_of,
            "DeleteScalingPolicy": self._delete,
            "ListTagsForResource": lambda asked: {"Tags": self._tags.get(asked["ResourceARN"], {})},
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }
        return verbs[action](asked)

    def _register(self, asked: Document) -> Document:
        key = _key(asked, TARGET_KEY)
        arn = f"arn:aws:application-autoscaling:{self._place}:scalable-target/{uuid.uuid4().hex[:22]}"
        new = {"CreationTime": time.time(), "ScalableTargetARN": arn, "RoleARN": asked.get("RoleARN", "")}
        target = self._targets.setdefault(key, new)
        target.update({name: value for name, value in asked.items() if name != "Tags"})
        self._tags.setdefault(target["ScalableTargetARN"], {}).update(asked.get("Tags", {}))
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _targets_of(self, asked: Document) -> Document:
        return {"ScalableTargets": list(_matching(self._targets.values(), asked))}

    def _deregister(self, asked: Document) -> Document:
        key = _key(asked, TARGET_KEY)
        target = _taken(self._targets, key)
        self._tags.pop(target["ScalableTargetARN"], None)
        for policy in [one for one in self._policies if one[: len(key)] == key]:
            del self._policies[policy]
        return {}

    def _put(self, asked: Document) -> Document:
        if _key(asked, TARGET_KEY) not in self._targets:
            raise MissingError
        arn = f"arn:aws:autoscaling:{self._place}:scalingPolicy:{uuid.uuid4()}:policyName/{asked['PolicyName']}"
        policy = self._policies.setdefault(_key(asked, POLICY_KEY), {"CreationTime": time.time(), "PolicyARN": arn})
        policy.update(asked)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def _policies_of(self, asked: Document) -> Document:
        return {"ScalingPolicies": list(_matching(self._policies.values(), asked))}

    def _delete(self, asked: Document) -> Document:
        _taken(self._policies, _key(asked, POLICY_KEY))
        return {}

    def _tag(self, asked: Document) -> Document:
        self._tags.setdefault(asked["ResourceARN"], {}).update(asked["Tags"])
        return {}

    def _untag(self, asked: Document) -> Document:
        for key in asked["TagKeys"]:
            self._tags.get(asked["ResourceARN"], {}).pop(key, None)
        return {}


def answered(book: Book, action: str, asked: Document) -> tuple[int, dict[str, str], bytes]:
    """Return *book*'s answer as HTTP has it: status, headers, body."""
    try:
        status, document = 200, book.answer(action, asked)
    except MissingError:
        status, document = 400, {"__type": "ObjectNotFoundException", "message": f"{action}: no such object"}
    except KeyError:
        status, document = 400, {"__type": "UnknownOperationException", "message": action}
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()


def _key(asked: Document, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(asked[name] for name in names)


def _taken(book: dict[tuple[str, ...], Document], key: tuple[str, ...]) -> Document:
    if key not in book:
        raise MissingError
    return book.pop(key)


def _matching(documents: Iterable[Document], asked: Document) -> Iterable[Document]:
    """Yield what the filters let through; `ResourceIds` and `PolicyNames` are lists of what a document has one of."""
    wanted = {name: {asked[name]} for name in TARGET_KEY if name in asked}
    wanted |= {one: set(asked[many]) for many, one in MANY.items() if asked.get(many)}
    return (one for one in documents if all(one.get(name) in values for name, values in wanted.items()))
