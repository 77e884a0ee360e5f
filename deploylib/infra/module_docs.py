"""Each Terraform module's README, made from the module itself: what it is for, what it takes, gives and makes.

The files are read as text, by line. That is enough, because `terraform fmt` is checked: a block ends with a brace in
the first column, an attribute of it begins in the third. A parser of HCL would give the values, but not the types as
they are written (docs/adr/0019-module-pages.md).
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "terraform"
PAGE = "README.md"
COMMAND = "inv infra.docs"
NOTE = f"<!-- Written by `{COMMAND}` from the module's own files: edit those. -->"

HEADER = re.compile(r'^(\w+)((?: "[^"]+")+) \{(\})?$')
ATTRIBUTE = re.compile(r"^  (\w+) += (.*)$")
HEREDOC = re.compile(r"^<<[-~]?(\w+)$")
FREE_TEXT = re.compile(r"^#(?: (.*))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of the first level: its *kind*, its *labels*, and its attributes as they are written."""

    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, str]

    @property
    def name(self) -> str:
        """The last label."""
        return self.labels[-1]

    @property
    def description(self) -> str:
        """What the block says of itself, in one line."""
        return _text(self.attributes.get("description", '""'))


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """What the files of a module say."""

    name: str
    intro: str
    blocks: tuple[Block, ...]

    def of(self, kind: str) -> tuple[Block, ...]:
        """Return the blocks of *kind*, in the order of the files."""
        return tuple(block for block in self.blocks if block.kind == kind)


def write(root: Path) -> tuple[str, ...]:
    """Write every page that is out of date; return which."""
    stale = _stale(root)
    for folder, page in stale:
        (folder / PAGE).write_text(page, encoding="utf-8")
    return tuple(str(folder.relative_to(root) / PAGE) for folder, _ in stale)


def check(root: Path) -> None:
    """Raise `OutdatedError` when a page does not say what its module is."""
    if stale := [str(folder.relative_to(root) / PAGE) for folder, _ in _stale(root)]:
        raise OutdatedError(f"out of date: {', '.join(stale)}", hint=COMMAND)


def read(folder: Path) -> Module:
    """Read the module in *folder*."""
    files = sorted(folder.glob("*.tf"), key=lambda file: (file.name != "main.tf", file.name))
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    blocks = tuple(block for text in texts.values() for block in _blocks(text))
    return Module(name=folder.name, intro=_intro(texts.get("main.tf", "")), blocks=blocks)


def render(module: Module) -> str:
    """Return the page of *module*, in Markdown."""
    inputs = sorted(module.of("variable"), key=lambda block: "default" in block.attributes)  # required ones first
    parts = [f"# {module.name}", NOTE, module.intro]
    parts += (*_inputs(inputs), *_types(inputs), *_outputs(module.of("output")), *_resources(module))
    return "\n\n".join(part for part in parts if part) + "\n"


def _stale(root: Path) -> list[tuple[Path, str]]:
    folders = [path.parent for path in (root / SOURCE).glob("**/versions.tf") if "tests" not in path.parts]
    pages = [(folder, render(read(folder))) for folder in sorted(folders)]
    return [(folder, page) for folder, page in pages if not _says(folder / PAGE, page)]


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _intro(text: str) -> str:
    """Return the comment that `main.tf` begins with, unless it belongs to what is right below it."""
    lines = text.splitlines()
    end = next((index for index, line in enumerate(lines) if not FREE_TEXT.match(line)), len(lines))
    if end == len(lines) or lines[end]:
        return ""
    paragraphs = "\n".join(line[2:] for line in lines[:end]).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _blocks(text: str) -> Iterator[Block]:
    lines = iter(text.splitlines())
    for line in lines:
        if match := HEADER.match(line):
            kind, labels, empty = match.groups()
            attributes = {} if empty else dict(_attributes(lines))
            yield Block(kind=kind, labels=tuple(re.findall(r'"([^"]+)"', labels)), attributes=attributes)


def _attributes(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a block up to the brace that ends it; blocks within it are passed over."""
    for line in lines:
        if line == "}":
            return
        if match := ATTRIBUTE.match(line):
            name, first = match.groups()
            yield name, "\n".join((first, *_rest(first, lines)))


def _rest(first: str, lines: Iterator[str]) -> Iterator[str]:
    """Yield the further lines of a value: a here-document's to its mark, a bracket's to the one that closes it."""
    if mark := HEREDOC.match(first):
        for line in lines:
            if line.strip() == mark[1]:
                return
            yield line
    elif first.endswith(("(", "[", "{")):
        for line in lines:
            yield line[2:]
            if not line.startswith("   ") and line.strip():
                return


def _text(written: str) -> str:
    """Return what a string or a here-document says, in one line."""
    first, _, rest = written.partition("\n")
    return " ".join((rest if HEREDOC.match(first) else json.loads(first)).split())


def _inputs(inputs: list[Block]) -> Iterator[str]:
    if inputs:
        yield "## Inputs"
        rows = ((f"`{one.name}`", one.description, _type(one), _default(one)) for one in inputs)
        yield _table(("name", "what", "type", "default"), rows)


def _outputs(outputs: tuple[Block, ...]) -> Iterator[str]:
    if outputs:
        yield "## Outputs"
        yield _table(("name", "what"), ((f"`{one.name}`", one.description) for one in outputs))


def _types(inputs: list[Block]) -> Iterator[str]:
    """Yield what does not fit into a table: types and defaults of several lines, as they are written."""
    for one in inputs:
        written = {name: one.attributes.get(name, "") for name in ("type", "default")}
        if any("\n" in value for value in written.values()):
            yield f"### `{one.name}`"
            yield "```hcl\n" + "\n".join(f"{name} = {value}" for name, value in written.items() if value) + "\n```"


def _resources(module: Module) -> Iterator[str]:
    if made := sorted({block.labels[0] for block in module.of("resource")}):
        yield "## What it makes"
        yield textwrap.fill(", ".join(f"`{one}`" for one in made), width=140, break_long_words=False)
    if used := sorted({_text(block.attributes["source"]).rpartition("/")[2] for block in module.of("module")}):
        yield "## What it is made of"
        yield textwrap.fill(", ".join(f"[{one}](../modules/{one}/{PAGE})" for one in used), width=140)


def _type(one: Block) -> str:
    written = one.attributes.get("type", "any")
    return f"[below](#{one.name})" if "\n" in written else f"`{written}`"


def _default(one: Block) -> str:
    written = one.attributes.get("default")
    if written is None:
        return "required"
    return f"[below](#{one.name})" if "\n" in written else f"`{written}`"


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
