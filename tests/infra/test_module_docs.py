"""The modules' pages: made from what the modules say, and up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploylib.errors import OutdatedError
from deploylib.infra import module_docs

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "terraform").glob("*/**/versions.tf") if "tests" not in path.parts)

MAIN = """\
# A shop, and
# its door.
#
# Open by day.

# The door's own comment.
resource "aws_lb" "door" {
  name = var.name

  access_logs {
    bucket = "b"
  }
}

resource "aws_lb" "back_door" {}

data "aws_partition" "this" {}
"""

VARIABLES = """\
variable "hours" {
  description = <<-E
    When it is open,
    by day | by night.
  E
  type = map(object({
    from = number

    to = optional(number, 18)
  }))
  default = {
    monday = { from = 9 }
  }

  validation {
    condition     = length(var.hours) > 0
    error_message = "description = wrong"
  }
}

variable "name" {
  description = "Name, for example \\"corner\\"."
  type        = string

  validation {
    condition     = var.name != ""
    error_message = "name must not be empty."
  }
}
"""

OUTPUTS = """\
output "address" {
  description = "Where it is."
  value       = aws_lb.door.dns_name

  depends_on = [aws_lb.back_door]
}
"""


def shop(folder: Path) -> Path:
    module = folder / "terraform" / "modules" / "shop"
    module.mkdir(parents=True)
    for name, text in {"main": MAIN, "variables": VARIABLES, "outputs": OUTPUTS, "versions": ""}.items():
        (module / f"{name}.tf").write_text(text)
    return module


def module_id(folder: Path) -> str:
    return folder.name


def test_every_page_is_up_to_date() -> None:
    module_docs.check(ROOT)


@pytest.mark.parametrize("folder", FOLDERS, ids=module_id)
def test_everything_that_a_module_takes_and_gives_is_described(folder: Path) -> None:
    module = module_docs.read(folder)
    assert [one.name for one in (*module.of("variable"), *module.of("output")) if not one.description] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=module_id)
def test_every_module_says_what_it_is_for(folder: Path) -> None:
    assert module_docs.read(folder).intro


@pytest.mark.parametrize("folder", FOLDERS, ids=module_id)
def test_everything_that_a_module_takes_has_a_type(folder: Path) -> None:
    assert [one.name for one in module_docs.read(folder).of("variable") if "type" not in one.attributes] == []


def test_the_comment_that_begins_the_module_is_its_introduction(tmp_path: Path) -> None:
    assert module_docs.read(shop(tmp_path)).intro == "A shop, and its door.\n\nOpen by day."


def test_the_comment_of_the_first_resource_is_no_introduction(tmp_path: Path) -> None:
    module = shop(tmp_path)
    (module / "main.tf").write_text('# The door\'s own comment.\nresource "aws_lb" "door" {}\n')
    assert module_docs.read(module).intro == ""


def test_what_must_be_said_comes_before_what_may_be_left_out(tmp_path: Path) -> None:
    page = module_docs.render(module_docs.read(shop(tmp_path)))
    assert '| `name` | Name, for example "corner". | `string` | required |\n| `hours` |' in page


def test_a_description_of_several_lines_is_one_cell(tmp_path: Path) -> None:
    page = module_docs.render(module_docs.read(shop(tmp_path)))
    assert "| `hours` | When it is open, by day \\| by night. | [below](#hours) | [below](#hours) |" in page


def test_a_type_of_several_lines_is_shown_as_it_is_written(tmp_path: Path) -> None:
    page = module_docs.render(module_docs.read(shop(tmp_path)))
    written = "type = map(object({\n  from = number\n\n  to = optional(number, 18)\n}))\n"
    assert f"### `hours`\n\n```hcl\n{written}default = {{\n  monday = {{ from = 9 }}\n}}\n```" in page


def test_what_a_module_makes_is_named_once(tmp_path: Path) -> None:
    page = module_docs.render(module_docs.read(shop(tmp_path)))
    assert page.endswith("## What it makes\n\n`aws_lb`\n")
    assert "| `address` | Where it is. |" in page


def test_a_page_is_written_once(tmp_path: Path) -> None:
    shop(tmp_path)
    assert module_docs.write(tmp_path) == ("terraform/modules/shop/README.md",)
    assert module_docs.write(tmp_path) == ()
    module_docs.check(tmp_path)


def test_a_page_that_is_out_of_date_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    module = shop(tmp_path)
    module_docs.write(tmp_path)
    (module / "outputs.tf").write_text(OUTPUTS.replace("Where it is.", "Where it was."))
    with pytest.raises(OutdatedError, match=r"terraform/modules/shop/README\.md") as caught:
        module_docs.check(tmp_path)
    assert caught.value.hint == "inv infra.docs"
    assert caught.value.exit_code == 9


def test_what_only_tests_a_module_has_no_page(tmp_path: Path) -> None:
    module = shop(tmp_path)
    (module / "tests" / "variables").mkdir(parents=True)
    (module / "tests" / "variables" / "versions.tf").write_text("")
    assert module_docs.write(tmp_path) == ("terraform/modules/shop/README.md",)
