"""Does the Terraform code keep to the policy? Checkov says; what it finds is mended, or excused beside the resource.

An excuse is a comment in the resource, `# checkov:skip=CHECK:reason`. One without a reason, and one that excuses
nothing (any more), is a finding too.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from deploylib import process
from deploylib.errors import TerraformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SOURCE = "terraform"
FOUND = 1
EXCUSE = re.compile(r"#\s*checkov:skip=(\w+)(?::[ ]*(.*\S))?")
TIMEOUT_SECONDS = 600


def check(root: Path, program: str, say: Callable[[str], None]) -> None:
    """Let *program* (checkov's) judge the code; raise `TerraformError` with all that it finds."""
    started = time.monotonic()
    report = _judged(root / SOURCE, program)
    complaints = (*_unread(report), *_findings(report), *_empty_excuses(root, report))
    if complaints:
        hint = "mend it, or excuse it in the resource: # checkov:skip=CHECK:reason; then inv infra.check"
        raise TerraformError("\n".join(("the Terraform code does not keep to the policy:", *complaints)), hint=hint)
    passed, excused = (len(report["results"][kind]) for kind in ("passed_checks", "skipped_checks"))
    say(f"policy: {passed} checks passed, {excused} excused with a reason ({time.monotonic() - started:.1f} s)")


def _judged(folder: Path, program: str) -> Mapping[str, Any]:
    """Return checkov's report. It asks no host: neither for modules nor for policies of its maker's platform."""
    argv = [program, "--directory", str(folder), "--framework", "terraform", "--output", "json", "--compact"]
    argv += ["--skip-path", "/tests/", "--skip-download", "--download-external-modules", "false"]
    done = process.run(argv, ok=(0, FOUND), timeout_seconds=TIMEOUT_SECONDS)
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
        report["results"]["passed_checks"][0]  # a scanner that looked at nothing has found nothing wrong
    except (ValueError, LookupError, TypeError) as error:
        raise TerraformError(f"checkov judged nothing in {folder}\n{(done.stdout + done.stderr).strip()}") from error
    return report


def _unread(report: Mapping[str, Any]) -> Iterator[str]:
    for file in report["results"]["parsing_errors"]:
        yield f"{file}: checkov cannot read it (a here-document's mark needs two letters: <<-EOT)"


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    for one in report["results"]["failed_checks"]:
        where = f"{SOURCE}{one['file_path']}:{one['file_line_range'][0]}"
        yield f"{where}: {one['resource']}: {one['check_name']} ({one['check_id']})"


def _empty_excuses(root: Path, report: Mapping[str, Any]) -> Iterator[str]:
    used = {(one["file_path"].lstrip("/"), one["check_id"]) for one in report["results"]["skipped_checks"]}
    for file in sorted((root / SOURCE).rglob("*.tf")):
        name = str(file.relative_to(root / SOURCE))
        for check_id, reason in EXCUSE.findall(file.read_text(encoding="utf-8")):
            if not reason:
                yield f"{SOURCE}/{name}: {check_id} is excused without a reason"
            elif (name, check_id) not in used and "tests" not in file.parts:
                yield f"{SOURCE}/{name}: the excuse of {check_id} excuses nothing"
