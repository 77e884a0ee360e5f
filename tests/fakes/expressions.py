"""DynamoDB's expressions: conditions and updates, read by their grammar and judged as DynamoDB judges them.

Source: "Condition and filter expressions" and "Update expressions" of the developer guide. What stands there and is not
read here fails the test that sent it. A name or value that is given and never used is refused, as DynamoDB does.
"""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.fakes.door import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, Any]
Request = dict[str, Any]

TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][\w]*|<>|<=|>=|[=<>(),.+\-])")
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CLAUSES = ("SET", "REMOVE", "ADD")


def holds(request: Request, item: Item) -> bool:
    """Return whether the request's condition holds for *item* (empty when there is none)."""
    reader = _Reader(request, request.get("ConditionExpression", ""))
    return reader.condition(item) if reader.tokens else True


def updated(request: Request, item: Item) -> Item:
    """Return the attributes that the request's update changes, removed ones as None."""
    return _Reader(request, request["UpdateExpression"]).update(item)


def refuse_unused(request: Request) -> None:
    """Refuse a request that explains names or values which none of its expressions has."""
    said = " ".join(str(value) for key, value in request.items() if key.endswith("Expression"))
    used = set(TOKEN.findall(said))
    for kind in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if unused := sorted(set(request.get(kind, {})) - used):
            raise Refused("ValidationException", f"{kind} contains values that are unused: {unused}")


class _Reader:
    """One expression, read from left to right."""

    def __init__(self, request: Request, expression: str) -> None:
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self.tokens = TOKEN.findall(expression)
        left = TOKEN.sub("", expression).strip()
        assert not left, f"not of DynamoDB's grammar: {left!r} in {expression!r}"

    # conditions

    def condition(self, item: Item) -> bool:
        found = self._any(item)
        assert not self.tokens, f"more than a condition: {self.tokens}"
        return found

    def _any(self, item: Item) -> bool:
        found = self._all(item)
        while self._has("OR"):
            found = self._all(item) or found
        return found

    def _all(self, item: Item) -> bool:
        found = self._one(item)
        while self._has("AND"):
            found = self._one(item) and found
        return found

    def _one(self, item: Item) -> bool:
        if self._has("NOT"):
            return not self._one(item)
        if self._has("("):
            found = self._any(item)
            self._take(")")
            return found
        if self.tokens[0] in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self._function(item)
        return self._comparison(item)

    def _function(self, item: Item) -> bool:
        name = self._next()
        self._take("(")
        value = self._operand(item)
        if name == "begins_with":
            self._take(",")
            found = value is not None and str(value["S"]).startswith(self._operand(item)["S"])
        else:
            found = (value is None) == (name == "attribute_not_exists")
        self._take(")")
        return found

    def _comparison(self, item: Item) -> bool:
        left, how = self._operand(item), self._next()
        if how == "IN":
            self._take("(")
            choice = [self._operand(item)]
            while self._has(","):
                choice.append(self._operand(item))
            self._take(")")
            return any(_equal(left, one) for one in choice)
        if how == "BETWEEN":
            low = self._operand(item)
            self._take("AND")
            high = self._operand(item)
            return _ordered("<=", low, left) and _ordered("<=", left, high)
        right = self._operand(item)
        if how in ("=", "<>"):
            return _equal(left, right) == (how == "=")
        return _ordered(how, left, right)

    # updates

    def update(self, item: Item) -> Item:
        changed: Item = {}
        while self.tokens:
            clause = self._next()
            assert clause in CLAUSES, f"no clause of an update: {clause}"
            getattr(self, f"_{clause.lower()}")(item, changed)
            while self._has(","):
                getattr(self, f"_{clause.lower()}")(item, changed)
        return changed

    def _set(self, item: Item, changed: Item) -> None:
        path = self._path()
        self._take("=")
        value = self._operand(item)
        while self.tokens[:1] in (["+"], ["-"]):
            sign = 1 if self._next() == "+" else -1
            value = {"N": str(Decimal(value["N"]) + sign * Decimal(self._operand(item)["N"]))}
        if value is None:
            raise Refused("ValidationException", "The provided expression refers to an attribute that does not exist")
        _put(item, changed, path, value)

    def _remove(self, item: Item, changed: Item) -> None:
        _put(item, changed, self._path(), None)

    def _add(self, item: Item, changed: Item) -> None:
        (name,) = self._path()
        added = self._operand(item)
        changed[name] = {"N": str(Decimal(item.get(name, {"N": "0"})["N"]) + Decimal(added["N"]))}

    # words

    def _operand(self, item: Item) -> Any:
        """Return the value that comes next; None for an attribute that is not there."""
        if self.tokens[0] == "if_not_exists":
            self._next()
            self._take("(")
            found = _at(item, self._path())
            self._take(",")
            other = self._operand(item)
            self._take(")")
            return other if found is None else found
        if self.tokens[0].startswith(":"):
            name = self._next()
            if name not in self._values:
                raise Refused("ValidationException", f"An expression attribute value is not defined: {name}")
            return self._values[name]
        return _at(item, self._path())

    def _path(self) -> list[str]:
        parts = [self._name()]
        while self._has("."):
            parts.append(self._name())
        return parts

    def _name(self) -> str:
        word = self._next()
        if word.startswith("#") and word not in self._names:
            raise Refused("ValidationException", f"An expression attribute name is not defined: {word}")
        return str(self._names[word]) if word.startswith("#") else word

    def _next(self) -> str:
        return str(self.tokens.pop(0))

    def _take(self, word: str) -> None:
        found = self._next()
        assert found == word, f"{word!r} expected, not {found!r}"

    def _has(self, word: str) -> bool:
        if self.tokens[:1] != [word]:
            return False
        self.tokens.pop(0)
        return True


def _at(item: Item, path: list[str]) -> Any:
    value: Any = item.get(path[0])
    for part in path[1:]:
        value = value.get("M", {}).get(part) if value else None
    return value


def _put(item: Item, changed: Item, path: list[str], value: Any) -> None:
    name, *inner = path
    if not inner:
        changed[name] = value
        return
    whole = changed.get(name, item.get(name))
    if not whole or "M" not in whole or len(inner) > 1:
        raise Refused("ValidationException", "The document path provided in the update expression is invalid")
    kept = {key: one for key, one in whole["M"].items() if key != inner[0]}
    changed[name] = {"M": {**kept, **({} if value is None else {inner[0]: value})}}


def _equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if "N" in left and "N" in right:
        return Decimal(left["N"]) == Decimal(right["N"])
    return bool(left == right)


def _ordered(how: str, left: Any, right: Any) -> bool:
    if left is None or right is None or set(left) != set(right):
        return False
    ((kind, one),), ((_, other),) = left.items(), right.items()
    return ORDERS[how](Decimal(one), Decimal(other)) if kind == "N" else ORDERS[how](one, other)
