from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

SCRIPTS = ScriptDirectory(str(Path(__file__).parent.parent / "migrations"))


def test_revisions_are_one_line_without_branches() -> None:
    revisions = [script.revision for script in SCRIPTS.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert SCRIPTS.get_heads() == [revisions[0]]
    assert len(SCRIPTS.get_bases()) == 1


def test_every_revision_says_what_it_does() -> None:
    assert all(script.doc for script in SCRIPTS.walk_revisions())
