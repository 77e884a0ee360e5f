"""What a scanner of the Terraform code says, and what is made of it. This one is a script that says what it is told."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.errors import TerraformError
from deploylib.infra import policy

if TYPE_CHECKING:
    from pathlib import Path

PASSED = {"check_id": "CKV_1", "file_path": "/modules/shop/main.tf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A project with one resource, and the script that judges it."""

    root: Path

    @property
    def program(self) -> str:
        return str(self.root / "scanner")

    @property
    def asked(self) -> list[str]:
        return [str(word) for word in json.loads((self.root / "asked").read_text())]

    def says(self, text: str, *, code: int = 0) -> None:
        told = json.dumps({"text": text, "code": code, "asked": str(self.root / "asked")})
        script = f"import json, pathlib, sys\ntold = json.loads({told!r})\n"
        script += "pathlib.Path(told['asked']).write_text(json.dumps(sys.argv[1:]))\n"
        script += "print(told['text'])\nsys.exit(told['code'])\n"
        (self.root / "scanner").write_text(f"#!{sys.executable}\n{script}")
        (self.root / "scanner").chmod(0o755)

    def reports(self, *, code: int = 0, **results: list[Any]) -> None:
        kinds = {"passed_checks": [PASSED], "failed_checks": [], "skipped_checks": [], "parsing_errors": []}
        self.says(json.dumps({"results": {**kinds, **results}}), code=code)

    def resource(self, comment: str) -> None:
        (self.root / "terraform/modules/shop/main.tf").write_text(f'resource "aws_lb" "door" {{\n  {comment}\n}}\n')


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    (tmp_path / "terraform" / "modules" / "shop").mkdir(parents=True)
    found = Scanner(root=tmp_path)
    found.resource("name = var.name")
    found.reports()
    return found


def refusal(scanner: Scanner) -> str:
    with pytest.raises(TerraformError) as caught:
        policy.check(scanner.root, scanner.program, print)
    return str(caught.value)


def test_code_without_findings_is_said_in_one_line(scanner: Scanner) -> None:
    said: list[str] = []
    policy.check(scanner.root, scanner.program, said.append)
    assert len(said) == 1
    assert said[0].startswith("policy: 1 checks passed, 0 excused with a reason")


def test_no_host_is_asked(scanner: Scanner) -> None:
    policy.check(scanner.root, scanner.program, print)
    assert "--skip-download" in scanner.asked
    assert scanner.asked[scanner.asked.index("--download-external-modules") + 1] == "false"


def test_every_finding_is_named_with_its_place(scanner: Scanner) -> None:
    finding = {
        "check_id": "CKV_2",
        "check_name": "Ensure doors have locks",
        "file_path": "/modules/shop/main.tf",
        "file_line_range": [1, 3],
        "resource": "module.shop.aws_lb.door",
    }
    scanner.reports(failed_checks=[finding, {**finding, "check_id": "CKV_3"}], code=1)
    text = refusal(scanner)
    assert "terraform/modules/shop/main.tf:1: module.shop.aws_lb.door: Ensure doors have locks (CKV_2)" in text
    assert "(CKV_3)" in text


def test_a_file_that_is_not_read_is_not_taken_for_clean(scanner: Scanner) -> None:
    scanner.reports(parsing_errors=["/modules/shop/variables.tf"])
    assert "/modules/shop/variables.tf: checkov cannot read it" in refusal(scanner)


def test_an_excuse_with_a_reason_is_counted(scanner: Scanner) -> None:
    scanner.resource("# checkov:skip=CKV_2:a door that stands open")
    scanner.reports(skipped_checks=[{"check_id": "CKV_2", "file_path": "/modules/shop/main.tf"}])
    said: list[str] = []
    policy.check(scanner.root, scanner.program, said.append)
    assert "1 excused" in said[0]


@pytest.mark.parametrize("excuse", ["# checkov:skip=CKV_2", "#checkov:skip=CKV_2:", "# checkov:skip=CKV_2: "])
def test_an_excuse_without_a_reason_is_refused(scanner: Scanner, excuse: str) -> None:
    scanner.resource(excuse)
    scanner.reports(skipped_checks=[{"check_id": "CKV_2", "file_path": "/modules/shop/main.tf"}])
    assert "terraform/modules/shop/main.tf: CKV_2 is excused without a reason" in refusal(scanner)


def test_an_excuse_that_excuses_nothing_any_more_is_refused(scanner: Scanner) -> None:
    scanner.resource("# checkov:skip=CKV_2:a door that stood open")
    assert "the excuse of CKV_2 excuses nothing" in refusal(scanner)


@pytest.mark.parametrize("text", ["", "no files", '{"passed": 0, "failed": 0}', '{"results": {"passed_checks": []}}'])
def test_a_scanner_that_judged_nothing_is_not_believed(scanner: Scanner, text: str) -> None:
    scanner.says(text)
    assert "checkov judged nothing" in refusal(scanner)
