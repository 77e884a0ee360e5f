"""The merge test on real repositories: what is run, what is told, and that nothing of the checkout is touched."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from deploylib import merge_test
from deploylib.errors import CommandError, ConfigError, DeployError, ProcessError, RefusedError, ToolMissingError
from deploylib.merge_test import Conflicted, Ended, Merged, MergeStarted, Order, Printed
from deploylib.report.merge_test import merge_tested

if TYPE_CHECKING:
    from collections.abc import Generator

    from deploylib.events import Event

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str, **files: str | None) -> str:
    """Write these files (None: delete it) and commit them; `a__b` is a file `b` in a folder `a`."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


class Desk:
    """A server with `develop`, a clone of it with a commit on `feature`, and a folder for worktrees."""

    def __init__(self, folder: Path) -> None:
        self.server, self.clone, self.temporary = folder / "server", folder / "clone", folder / "temporary"
        self.temporary.mkdir()
        self.server.mkdir()
        git(self.server, "init", "--quiet", "--initial-branch", "develop")
        commit(self.server, "first", page="one\ntwo\nthree\n", other="x\n")
        git(folder, "clone", "--quiet", self.server.as_uri(), str(self.clone))
        git(self.clone, "switch", "--quiet", "--create", "feature")
        self.commit = commit(self.clone, "mine", mine="mine\n")
        self.tip = commit(self.server, "theirs", theirs="theirs\n")

    def run(self, *words: str, **more: Any) -> list[Event]:
        return list(self.start(*words, **more))

    def start(
        self, *words: str, root: Path | None = None, into: str = "develop", **more: Any
    ) -> Generator[Event, None, None]:
        order = Order(into=into, command=words, **more)
        return merge_test.run(root or self.clone, order, temporary=self.temporary)

    @property
    def left(self) -> list[str]:
        """What lies among the temporary files, and what the repository has for worktrees beside the first."""
        folders = [one.name for one in self.temporary.glob("deploylib-*/*")]
        entries = [
            line for line in git(self.clone, "worktree", "list", "--porcelain").splitlines() if "worktree " in line
        ]
        return folders + entries[1:]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def collect(happening: Generator[Event, None, None]) -> tuple[list[Event], BaseException | None]:
    found: list[Event] = []
    try:
        for event in happening:
            found.append(event)  # noqa: PERF402  # what came before a failure is kept
    except DeployError as error:
        return found, error
    return found, None


def show(code: str) -> tuple[str, str, str]:
    return PYTHON, "-c", code


# What is run


def test_the_command_runs_on_both_sides_together(desk: Desk) -> None:
    found = desk.run("ls")
    printed = [one.line for one in found if isinstance(one, Printed)]
    assert printed == ["mine", "other", "page", "theirs"]
    assert found[:2] == [
        MergeStarted(commit=desk.commit, into="develop", tip=desk.tip),
        Merged(into="develop", anew=True),
    ]
    ended = found[-1]
    assert isinstance(ended, Ended)
    assert ended.exit_code == 0


def test_the_newest_commit_of_the_branch_is_fetched(desk: Desk) -> None:
    newest = commit(desk.server, "newest", newest="")
    started, *_ = desk.run()
    assert isinstance(started, MergeStarted)
    assert started.tip == newest


def test_without_fetching_the_branch_is_as_the_clone_knows_it(desk: Desk) -> None:
    found = desk.run("ls", fetch=False)
    assert [one.line for one in found if isinstance(one, Printed)] == ["mine", "other", "page"]


def test_a_merge_is_a_commit_whose_first_parent_is_the_branch_and_the_tree_is_clean(desk: Desk) -> None:
    found = desk.run("sh", "-c", "git log -1 --format='%P|%s|%an'; git status --porcelain; git branch --show-current")
    (line,) = [one.line for one in found if isinstance(one, Printed)]
    parents, subject, author = line.split("|")
    assert parents == f"{desk.tip} {desk.commit}"
    assert subject == f"Merge test: {desk.commit[:12]} into develop"
    assert author == "Merge test"


def test_what_is_merged_already_is_tested_as_it_is(desk: Desk) -> None:
    git(desk.clone, "switch", "--quiet", "--detach", "origin/develop")
    assert Merged(into="develop", anew=False) in desk.run()


def test_without_a_command_only_the_merge_is_tested(desk: Desk) -> None:
    assert [type(one) for one in desk.run()] == [MergeStarted, Merged]


def test_a_project_below_its_repository_is_tested_in_its_own_folder(desk: Desk) -> None:
    commit(desk.clone, "a project", shop__tasks="")
    found = desk.run("sh", "-c", "pwd; echo $PWD; ls", root=desk.clone / "shop")
    here, told, name = (one.line for one in found if isinstance(one, Printed))
    assert here == told
    assert here.endswith("/shop")
    assert name == "tasks"


def test_the_command_s_exit_code_is_passed_on(desk: Desk) -> None:
    found, error = collect(desk.start("sh", "-c", "echo no; exit 7"))
    assert isinstance(error, CommandError)
    assert error.exit_code == 7
    assert str(error) == f"sh ended with exit code 7 on {desk.commit[:12]} merged into develop"
    assert Printed(line="no") in found
    assert desk.left == []


def test_a_command_that_was_killed_ends_as_a_shell_says_it(desk: Desk) -> None:
    with pytest.raises(CommandError) as failed:
        desk.run("sh", "-c", "kill -9 $$")
    assert failed.value.exit_code == 137


def test_a_command_that_is_not_there_is_told_and_nothing_stays(desk: Desk) -> None:
    with pytest.raises(ToolMissingError):
        desk.run("no-such-program")
    assert desk.left == []


def test_a_command_without_end_is_stopped(desk: Desk) -> None:
    with pytest.raises(ProcessError, match=r"no end within 0\.2 s"):
        desk.run(*show("import signal; signal.pause()"), timeout_seconds=0.2)
    assert desk.left == []


# Conflicts


def test_a_conflict_is_told_with_place_and_people(desk: Desk) -> None:
    theirs = commit(desk.server, "Two in French", page="one\ndeux\nthree\n")
    ours = commit(desk.clone, "Two in German", page="one\nzwei\nund mehr\nthree\n")
    found, error = collect(desk.start("ls"))
    assert isinstance(error, RefusedError)
    assert error.exit_code == 3
    assert str(error) == f"{ours[:12]} does not merge into develop: 1 file conflicts"
    assert error.hint == f"git merge {theirs[:12]}, resolve, commit"
    (conflict,) = [one for one in found if isinstance(one, Conflicted)]
    assert (conflict.path, conflict.why) == ("page", "both changed it")
    assert conflict.hunks == (merge_test.Hunk(line=2, theirs=("deux",), ours=("zwei", "und mehr")),)
    assert [(one.author, one.subject) for one in conflict.theirs] == [("Ada", "Two in French")]
    assert [(one.author, one.subject) for one in conflict.ours] == [("Ada", "Two in German")]
    assert desk.left == []


@pytest.mark.parametrize(
    ("theirs", "ours", "why"),
    [
        ("deux\n", None, "develop changed it, this commit deleted it"),
        (None, "zwei\n", "develop deleted it, this commit changed it"),
        ("\0\1", "\0\2", "both changed it"),
    ],
)
def test_a_file_that_was_deleted_or_is_no_text_conflicts_without_places(
    theirs: str | None, ours: str | None, why: str, desk: Desk
) -> None:
    commit(desk.server, "theirs", page=theirs)
    commit(desk.clone, "ours", page=ours)
    found, error = collect(desk.start())
    assert isinstance(error, RefusedError)
    (conflict,) = [one for one in found if isinstance(one, Conflicted)]
    assert (conflict.why, conflict.hunks) == (why, ())


def test_every_file_that_conflicts_is_told(desk: Desk) -> None:
    commit(desk.server, "theirs", page="1\n", other="1\n", new="1\n")
    commit(desk.clone, "ours", page="2\n", other="2\n", new="2\n")
    found, error = collect(desk.start())
    assert "3 files conflict" in str(error)
    told = {one.path: one.why for one in found if isinstance(one, Conflicted)}
    assert told == {"new": "both added it", "other": "both changed it", "page": "both changed it"}


def test_a_resolution_that_was_recorded_here_does_not_hide_a_conflict(desk: Desk) -> None:
    commit(desk.server, "theirs", page="1\n")
    commit(desk.clone, "ours", page="2\n")
    git(desk.clone, "config", "rerere.enabled", "true")
    git(desk.clone, "config", "rerere.autoUpdate", "true")
    git(desk.clone, "fetch", "--quiet")
    with pytest.raises(subprocess.CalledProcessError):
        git(desk.clone, "merge", "origin/develop")
    (desk.clone / "page").write_text("3\n")
    git(desk.clone, "add", "page")
    git(desk.clone, "rerere")
    git(desk.clone, "reset", "--quiet", "--hard", "feature")
    with pytest.raises(RefusedError, match="1 file conflicts"):
        desk.run()


# What stays as it is


def state(folder: Path) -> dict[str, Any]:
    """Everything of a checkout that a merge could change."""
    files = {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file() and ".git/" not in str(one)}
    inside = [folder / ".git" / name for name in ("HEAD", "index", "config", "FETCH_HEAD", "MERGE_HEAD", "ORIG_HEAD")]
    references = git(folder, "for-each-ref", "refs/heads", "refs/tags", "refs/stash")
    return {**files, **{one.name: one.exists() and one.read_bytes() for one in inside}, "references": references}


@pytest.mark.parametrize("end", ["passes", "fails", "conflicts"])
def test_the_checkout_is_as_before_however_it_ends(end: str, desk: Desk) -> None:
    if end == "conflicts":
        commit(desk.server, "theirs", page="1\n")
        commit(desk.clone, "ours", page="2\n")
    (desk.clone / "page").write_text("not committed\n")
    (desk.clone / "untracked").write_text("")
    (desk.clone / "staged").write_text("")
    git(desk.clone, "add", "staged")
    before = state(desk.clone)
    found, error = collect(desk.start("sh", "-c", f"rm -r *; exit {int(end == 'fails')}"))
    assert (error is None) == (end == "passes")
    assert state(desk.clone) == before
    assert isinstance(found[0], MergeStarted)
    assert found[0].uncommitted == 3
    assert desk.left == []


def test_nobody_s_hooks_run(desk: Desk) -> None:
    for name in ("post-checkout", "pre-merge-commit", "commit-msg", "post-merge", "reference-transaction"):
        hook = desk.clone / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {desk.temporary}/ran\nexit 1\n")
        hook.chmod(0o755)
    desk.run("true")
    assert not (desk.temporary / "ran").exists()


def test_a_git_hook_may_run_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(desk.clone / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(desk.clone / ".git/index"))
    found = desk.run("sh", "-c", "echo ${GIT_DIR-none}; git rev-parse --git-dir; git status --porcelain")
    told = [one.line for one in found if isinstance(one, Printed)]
    assert told[0] == "none"
    assert "/worktrees/merge-test-" in told[1]
    assert len(told) == 2


def test_a_worktree_of_one_s_own_whose_disk_is_away_stays_known(desk: Desk) -> None:
    git(desk.clone, "worktree", "add", "--quiet", "--detach", str(desk.temporary / "mine"))
    (desk.temporary / "mine").rename(desk.temporary / "away")
    desk.run("true")
    assert desk.left == [f"worktree {desk.temporary / 'mine'}"]


def test_what_the_command_made_read_only_goes_too(desk: Desk) -> None:
    desk.run("sh", "-c", "mkdir -p cache/deep; touch cache/deep/file; chmod -R a-w cache")
    assert desk.left == []


# Runs that were killed, and others that were not

BLOCKED = """
import sys
from pathlib import Path
from deploylib import merge_test
order = merge_test.Order(into="develop", command=("sh", "-c", "echo running as $$; exec sleep 600"))
for event in merge_test.run(Path(sys.argv[1]), order, temporary=Path(sys.argv[2])):
    print(event, flush=True)
"""


def blocked(desk: Desk) -> tuple[subprocess.Popen[str], int]:
    """Start a merge test in a process of its own, and return it and its command's process id when that runs."""
    argv = [PYTHON, "-c", BLOCKED, str(desk.clone), str(desk.temporary)]
    started = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    told = next(found for line in started.stdout if (found := re.search(r"running as (\d+)", line)))
    return started, int(told[1])


def test_what_a_killed_run_has_left_goes_with_the_next_one(desk: Desk) -> None:
    first, orphan = blocked(desk)
    (folder,) = desk.temporary.glob("deploylib-*/*")
    with first:
        first.kill()
    os.kill(orphan, signal.SIGKILL)
    assert desk.left == [folder.name, f"worktree {folder / folder.name}"]
    desk.run("true")
    assert desk.left == []


def test_a_run_that_still_runs_is_left_alone(desk: Desk) -> None:
    first, _ = blocked(desk)
    with first:
        desk.run("true")
        assert len(desk.left) == 2
        first.send_signal(signal.SIGINT)
    assert desk.left == []


def test_an_interrupt_ends_the_command_before_its_folder_goes(desk: Desk) -> None:
    code = (
        "import os, signal, sys\n"
        "def end(*_):\n"
        f"    print(os.path.exists('mine'), file=open({str(desk.temporary / 'told')!r}, 'w'))\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGINT, end)\n"
        "print('running', flush=True)\n"
        "signal.pause()\n"
    )
    happening = desk.start(*show(code))
    assert any(one == Printed(line="running") for one in happening)
    with pytest.raises(KeyboardInterrupt):
        happening.throw(KeyboardInterrupt)
    assert (desk.temporary / "told").read_text() == "True\n"
    assert desk.left == []


@pytest.mark.parametrize("stage", ["empty", "named", "half a worktree", "another repository that is gone"])
def test_a_run_that_was_killed_on_its_way_leaves_nothing_either(stage: str, desk: Desk) -> None:
    folder = desk.temporary / f"deploylib-{os.getuid()}" / "merge-test-dead"
    folder.mkdir(parents=True)
    if stage != "empty":
        gone = str(desk.temporary / "gone/.git")
        (folder / "repository").write_text(gone if "another" in stage else str(desk.clone / ".git"))
    if stage == "half a worktree":
        git(desk.clone, "worktree", "add", "--quiet", "--lock", "--detach", str(folder / folder.name))
        (folder / folder.name / ".git").unlink()
    desk.run("true")
    assert desk.left == []


def test_somebody_else_s_folder_is_not_trusted(desk: Desk) -> None:
    (desk.temporary / f"deploylib-{os.getuid()}").symlink_to(desk.clone)
    with pytest.raises(RefusedError, match="is somebody else's"):
        desk.run("true")


# What cannot be merged at all


def test_a_shallow_clone_that_reaches_back_to_the_branch_will_do(desk: Desk) -> None:
    shallow = desk.clone.parent / "shallow"
    commit(desk.server, "newest")
    git(desk.clone.parent, "clone", "--quiet", "--depth", "1", desk.server.as_uri(), str(shallow))
    commit(shallow, "mine")
    commit(desk.server, "newer than that")
    assert desk.run(root=shallow)[-1] == Merged(into="develop", anew=True)


def test_a_shallow_clone_that_does_not_reach_back_is_refused(desk: Desk) -> None:
    git(desk.server, "switch", "--quiet", "--create", "side", "develop~1")
    commit(desk.server, "side", side="")
    shallow = desk.clone.parent / "shallow"
    git(desk.clone.parent, "clone", "--quiet", "--depth", "1", "--branch", "side", desk.server.as_uri(), str(shallow))
    git(shallow, "fetch", "--quiet", "--depth", "1", "origin", "+refs/heads/develop:refs/remotes/origin/develop")
    with pytest.raises(RefusedError, match="it is shallow") as refused:
        desk.run(root=shallow, fetch=False)
    assert refused.value.hint.startswith("git fetch --unshallow")
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert desk.run(root=shallow)[-1] == Merged(into="develop", anew=True)


def test_another_project_s_branch_is_refused(desk: Desk) -> None:
    git(desk.server, "switch", "--quiet", "--orphan", "pages")
    commit(desk.server, "pages", index="")
    with pytest.raises(RefusedError, match=r"have no commit in common$"):
        desk.run(into="pages")


def test_without_a_remote_the_local_branch_counts(desk: Desk) -> None:
    git(desk.server, "switch", "--quiet", "--create", "feature", "develop~1")
    commit(desk.server, "mine", mine="")
    found = desk.run("ls", root=desk.server)
    assert [one.line for one in found if isinstance(one, Printed)] == ["mine", "other", "page", "theirs"]


@pytest.mark.parametrize(
    ("into", "options", "words", "hint"),
    [
        ("devel", {}, "origin has no branch 'devel'", "git ls-remote --heads origin"),
        ("devel", {"fetch": False}, "origin has no branch 'devel' that is known here", "git branch --all"),
        ("a b", {}, "'a b' is no name of a branch", "--into develop"),
        ("-x", {}, "origin has no branch '-x'", "git ls-remote --heads origin"),
    ],
)
def test_a_branch_that_is_not_there_is_a_mistake(
    into: str, options: dict[str, bool], words: str, hint: str, desk: Desk
) -> None:
    with pytest.raises(ConfigError) as wrong:
        desk.run(into=into, **options)
    assert str(wrong.value) == words
    assert wrong.value.hint == hint


def test_a_remote_that_does_not_answer_is_told_with_the_way_around(desk: Desk) -> None:
    desk.server.rename(desk.server.parent / "moved")
    with pytest.raises(DeployError, match="could not be fetched from origin") as failed:
        desk.run()
    assert failed.value.hint == "add --no-fetch to take it as this clone knows it"
    assert desk.run(fetch=False)


def test_neither_a_remote_s_password_nor_a_conflict_s_is_told(desk: Desk) -> None:
    commit(desk.server, "theirs", page="password = 'theirs-4711'\n")
    commit(desk.clone, "ours", page="password = 'ours-4711'\n")
    found, error = collect(desk.start())
    assert "4711" not in f"{found}{error}"
    git(desk.clone, "remote", "set-url", "origin", "http://ada:4711@127.0.0.1:1/shop.git")
    with pytest.raises(DeployError, match="could not be fetched from origin") as failed:
        desk.run()
    assert "4711" not in str(failed.value)


def test_outside_of_git_it_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a git repository"):
        list(merge_test.run(tmp_path, Order(into="develop")))


# What is shown


def test_a_conflict_is_shown_with_both_sides_and_their_commits(desk: Desk) -> None:
    commit(desk.server, "Two in French", page="one\ndeux\nthree\n")
    commit(desk.clone, "Two in German", page="one\n" + "zwei\n" * 9 + "three\n")
    console, stream = Console(file=io.StringIO(), width=200), io.StringIO()
    with pytest.raises(RefusedError):
        merge_tested(desk.start(), stream=stream, console=console)
    file = console.file
    assert isinstance(file, io.StringIO)
    said = file.getvalue().splitlines()
    assert said[1] == "page: both changed it"
    assert said[2:4] == ["  line 2, develop:", "    deux"]
    assert said[4:6] == ["  line 2, this commit:", "    zwei"]
    assert said[11] == "    … 3 more lines"
    assert said[12].startswith("  changed on develop by ")
    assert said[12].endswith("Ada: Two in French")
    assert stream.getvalue() == ""


def task(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `inv ci.WORDS` in a project at *folder*."""
    (folder / "tasks.py").write_text(
        "from pathlib import Path\n"
        "from invoke import Collection\n"
        "from deploylib.tasks import ci\n"
        "namespace = Collection(ci=Collection(ci.merge_test, ci.environment))\n"
        "namespace.configure({'root': str(Path(__file__).parent)})\n"
    )
    variables = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("GITHUB_")}
    return subprocess.run(
        [PYTHON, "-m", "invoke", *words],
        cwd=folder,
        env={**variables, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder.parent / "temporary"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_task_passes_output_and_exit_code_on(desk: Desk) -> None:
    done = task(desk.clone, "ci.merge-test", "--into", "develop", "--", "sh", "-c", "echo 'two  words'; exit 5")
    assert (done.returncode, done.stdout) == (5, "two  words\n")
    assert "1 file is not committed" in done.stderr
    assert "sh ended with exit code 5" in done.stderr


def test_the_task_tells_machines_everything(desk: Desk) -> None:
    commit(desk.server, "theirs", page="1\n")
    commit(desk.clone, "ours", page="2\n")
    done = task(desk.clone, "ci.merge-test", "--into", "develop", "--output", "json")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in documents] == ["MergeStarted", "Conflicted", "Failed"]
    assert documents[1]["hunks"] == [{"line": 1, "theirs": ["1"], "ours": ["2"]}]
    assert documents[2]["exit_code"] == done.returncode == 3


def test_the_task_asks_for_its_branch(desk: Desk) -> None:
    done = task(desk.clone, "ci.merge-test")
    assert done.returncode == 2
    assert "inv ci.merge-test --into develop -- make test" in done.stderr
