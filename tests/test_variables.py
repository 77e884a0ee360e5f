"""Types of variables: read from HCL, held against values of a TOML file, compared with what Terraform does itself."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import config, process
from deploylib.toolchain import terraform
from deploylib.variables import ANYTHING, Collection, Constraint, Object, Primitive, Tuple, problems, read, suggestion

ROOT = Path(__file__).parents[1]
REAL = (ROOT / config.STACK / "variables.tf").read_text()
CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases/variables.toml").read_text())["case"]
DROPPED = "unknown key"

STRING, NUMBER, BOOL = (Primitive(kind=kind) for kind in ("string", "number", "bool"))


def constraint(text: str) -> Constraint:
    """Return what `type = TEXT` is read as."""
    return read(f'variable "x" {{\n  type = {text}\n}}\n').attributes["x"]


# Reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", STRING),
        ("any", ANYTHING),
        ("list(string)", Collection(kind="list", element=STRING)),
        ("map(set(bool))", Collection(kind="map", element=Collection(kind="set", element=BOOL))),
        ("list", Collection(kind="list", element=ANYTHING)),
        ("tuple([string, list(any),])", Tuple(elements=(STRING, Collection(kind="list", element=ANYTHING)))),
        ("tuple([])", Tuple(elements=())),
        ("object({})", Object(attributes={}, required=frozenset())),
        ("object({ a = string, b : number })", Object(attributes={"a": STRING, "b": NUMBER}, required=frozenset("ab"))),
        (
            "object({\n a = string\n b = bool,\n})",
            Object(attributes={"a": STRING, "b": BOOL}, required=frozenset("ab")),
        ),
        ("object({ optional = string })", Object(attributes={"optional": STRING}, required=frozenset({"optional"}))),
        ("object({ a = optional(string) })", Object(attributes={"a": STRING}, required=frozenset())),
        ("object({ a-b = any })", Object(attributes={"a-b": ANYTHING}, required=frozenset({"a-b"}))),
        ("something(new, [of, { later = 1 }])", ANYTHING),
        ('"string"', ANYTHING),
    ],
)
def test_a_type_is_read(text: str, expected: Constraint) -> None:
    assert constraint(text) == expected


@pytest.mark.parametrize(
    "default",
    [
        "{}",
        '{ b = { c = [1, { d = "}" }] } }',
        '")"',
        '"a \\" ) } b"',
        '"$${ not a template"',
        '"100%, $5"',
        '["(", "[", "{"]',
        "-1.5e3",
        "null",
        "{ # ) }\n  b = 1 // ) }\n  /* ) } */\n}",
    ],
)
def test_the_default_of_an_optional_attribute_is_passed_over(default: str) -> None:
    found = constraint(f"object({{\n a = optional(any, {default})\n z = string\n}})")
    assert found == Object(attributes={"a": ANYTHING, "z": STRING}, required=frozenset("z"))


@pytest.mark.parametrize(
    "line",
    [
        'description = "type = number, } and { and # and // and /*"',
        'description = "a ${join(", ", [for one in ["}", "{"] : "${one}"])} b" # type = number',
        'description = <<-E\n    type = number "quoted\n    }\n    not E yet, E2\n    E\n',
        "description = <<E\nE\n",
        "# type = number }",
        "// type = number }",
        "/* type = number\n } */",
        'validation {\n condition = alltrue([for type in ["}"] : var.x == type])\n error_message = "no ${var.x} }"\n }',
        "sensitive = true\nnullable = false",
        "default = { type = 3 }",
    ],
)
def test_the_type_is_found_whatever_stands_around_it(line: str) -> None:
    for body in (f"{line}\ntype = string", f"type = string\n{line}"):
        found = read(f'variable "x" {{\n{body}\n}}\nvariable "y" {{ type = bool }}\n')
        assert dict(found.attributes) == {"x": STRING, "y": BOOL}


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    text = '\ufeff# first\nvariable "x" {\n  description = <<-E\n    }\n  E\n  type = string\n}\n'
    assert read(text.replace("\n", "\r\n")).attributes == {"x": STRING}


def test_a_variable_without_a_default_is_required() -> None:
    text = """
    variable "a" { default = null }
    variable "b" {}
    variable c {
      type    = string
      default = "default = 1"
    }
    variable "d" {
      validation { default = 1 }
      description = "default"
    }
    """
    assert read(text).required == {"b", "d"}
    assert read(text).attributes == {"a": ANYTHING, "b": ANYTHING, "c": STRING, "d": ANYTHING}


def test_other_blocks_are_passed_over() -> None:
    others = 'locals {\n a = { variable = 1 }\n}\nresource "a" "variable" {\n variable {\n }\n}\n'
    text = others + 'variable "x" { type = bool }\n'
    assert read(text).attributes == {"x": BOOL}


@pytest.mark.parametrize(
    "broken", ["type = object({ a string })", 'default = "', "type =", 'default = "${', "/*", "type = list(string"]
)
def test_of_a_text_that_is_not_understood_the_names_are_known(broken: str) -> None:
    found = read(f'variable "x" {{\n  type = number\n}}\nvariable "y" {{\n  {broken}\n')
    assert found == Object(attributes={"x": ANYTHING, "y": ANYTHING}, required=frozenset())


@given(cut=st.integers(0, len(REAL)), junk=st.text(alphabet='"{}()[]$%<#/*=\n aE', max_size=6))
def test_no_text_is_an_error(cut: int, junk: str) -> None:
    names = read(REAL).attributes
    assert all(any(real.startswith(name) for real in names) for name in read(REAL[:cut]).attributes)
    assert isinstance(read(REAL[:cut] + junk + REAL[cut:]), Object)


def test_the_stack_s_own_variables_are_understood() -> None:
    stack = read(REAL)
    assert set(stack.attributes) == set(re.findall(r'^variable "(\w+)"', REAL, re.MULTILINE))
    assert stack.required == {*config.AUTOMATIC_VARIABLES, "services"}
    assert ANYTHING not in stack.attributes.values()
    services = stack.attributes["services"]
    assert isinstance(services, Collection)
    assert isinstance(services.element, Object)
    assert services.element.required == {"containers"}
    assert {"cpu", "desired_count", "load_balancer", "deployment"} < set(services.element.attributes)


def test_the_project_s_own_environments_fit_the_stack() -> None:
    for name in config.names(ROOT):
        environment = config.load(ROOT, name, variables={})
        assert list(problems(environment.terraform_variables, read(REAL))) == []


# Checking


def said(case: dict[str, Any]) -> list[tuple[str, str]]:
    return [(".".join(path), problem) for path, problem in problems(case["value"], constraint(case["type"]))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_terraform_refuses_or_drops_is_told_with_its_path(case: dict[str, Any]) -> None:
    found, expected = said(case), case.get("mistakes", [])
    assert [path for path, _ in found] == [path for path, _ in expected]
    for (_, problem), (_, start) in zip(found, expected, strict=True):
        assert problem.startswith(start)


@pytest.mark.parametrize("of", ["string", "number", "any"])
@pytest.mark.parametrize("value", [dt.date(2030, 1, 2), dt.time(3, 4), float("inf"), float("nan")])
def test_what_json_cannot_say_is_told_whatever_the_type(of: str, value: Any) -> None:
    for given_, path in ((value, ()), ({"a": [1, value]}, ("a", "1"))):
        of_this = ANYTHING if path else constraint(of)
        [(where, problem)] = problems(given_, of_this)
        assert where == path
        assert problem.startswith("Terraform has no ")


def test_a_suggestion_has_the_name_as_it_is_declared() -> None:
    assert suggestion("memoryMib", ["memoryMiB", "cpu"]) == "; did you mean memoryMiB?"
    assert suggestion("x", ["b", "a"]) == "; there are a, b"
    assert suggestion("x", []) == ""


# Terraform itself


def apply(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages of an apply in which each case is a variable of its own, and an output."""
    blocks = [
        f'variable "v{number}" {{\n  type = {one["type"]}\n}}\noutput "v{number}" {{\n  value = var.v{number}\n}}\n'
        for number, one in enumerate(cases)
    ]
    (folder / "main.tf").write_text("".join(blocks))
    values = {f"v{number}": one["value"] for number, one in enumerate(cases)}
    (folder / "values.tfvars.json").write_text(json.dumps(values))
    done = process.run(
        (
            terraform.find(ROOT).program,
            "apply",
            "-auto-approve",
            "-json",
            "-input=false",
            "-var-file=values.tfvars.json",
        ),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "CHECKPOINT_DISABLE": "1"},
        ok=(0, 1),
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def paths(value: Any, path: tuple[str, ...] = ()) -> set[str]:
    """Return the path of everything in *value*."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {".".join(path)}.union(*(paths(part, (*path, str(name))) for name, part in parts))


@pytest.mark.e2e
def test_terraform_refuses_and_drops_just_what_we_say(tmp_path: Path) -> None:
    messages = apply(tmp_path, CASES)
    details = "\n".join(one["diagnostic"]["detail"] for one in messages if one["type"] == "diagnostic")
    refused = {int(number) for number in re.findall(r"not suitable for var\.v(\d+) ", details)}
    assert refused == {
        number for number, case in enumerate(CASES) if any(not problem.startswith(DROPPED) for _, problem in said(case))
    }
    taken = [case for number, case in enumerate(CASES) if number not in refused]
    *_, outputs = (one["outputs"] for one in apply(tmp_path, taken) if one["type"] == "outputs")
    for number, case in enumerate(taken):
        dropped = {path for path in paths(case["value"]) if path not in paths(outputs[f"v{number}"]["value"])}
        assert dropped == {path for path, _ in said(case)}, case["name"]
