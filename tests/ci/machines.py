"""CI systems in small: they read a rendered file and run its scripts with bash, job after job, as the real ones do.

Only what our files say is understood; anything else is an error. What is the system's own: conditions, gates, needs,
the order of steps and what a failing one stops, how the shell is started, how much is cloned and what is checked out,
who gets secrets and tokens, which artifacts are kept. Containers are not: a job runs where the test runs, in a clone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PASSED, FAILED, SKIPPED, WAITING = "passed", "failed", "skipped", "waiting"
SECONDS = 600
LAX, STRICT = "set -e\n", "set -eo pipefail\n"
SYSTEMS = (
    "GITHUB_", "ACTIONS_", "GITLAB_", "CI", "CIRCLE", "CODEBUILD_", "DEPLOY_", "AWS_", "PYTEST_", "BUILD_", "BASH_ENV",
)  # fmt: skip
TOKEN = "the job's token"


@dataclass(slots=True, kw_only=True)
class Machine:
    """Where jobs run: clones of *origin*, with *programs* first on the path; *verdicts* is what became of each job.

    *approved* are the jobs that a person lets go on. *codes* are the exit codes of all scripts that failed, in order.
    """

    origin: Path
    folder: Path
    branch: str
    programs: Path | None = None
    approved: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def commit(self) -> str:
        """The commit that was pushed."""
        return self._git("rev-parse", self.branch, cwd=self.origin)

    def clone(self, job: str, *, depth: int = 0, detached: bool = False) -> Path:
        """Return a clone for *job* with its branch checked out, or that branch's commit alone.

        With a *depth* it has so many commits of that branch, and no other one.
        """
        where = self.folder / job
        words = ["--branch", self.branch, *([f"--depth={depth}"] if depth else [])]
        self._git("clone", "--quiet", *words, f"file://{self.origin}", str(where), cwd=self.folder)
        if detached:
            self._git("checkout", "--quiet", "--detach", cwd=where)
        return where

    def keep(self, job: str, folder: Path) -> bool:
        """Keep what is in *folder* as the artifacts of *job*; return whether there is any."""
        if found := folder.is_dir() and any(folder.iterdir()):
            shutil.copytree(folder, self.artifacts / job)
        return found

    @property
    def artifacts(self) -> Path:
        """Where artifacts are kept, by job."""
        return self.folder / "artifacts"

    def run(self, script: str, where: Path, variables: dict[str, str]) -> bool:
        """Run *script* with bash in *where* and return whether it passed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(SYSTEMS)}
        path = f"{self.programs}:{kept['PATH']}" if self.programs else kept["PATH"]
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=where,
            env={**kept, "PATH": path, "NO_COLOR": "1", **self._git_apart(), **self.more, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.said.append(f"$ {script}\n{done.stdout}")
        self.codes += [done.returncode] if done.returncode else []
        return done.returncode == 0

    def note(self, job: str, *, passed: bool) -> None:
        """Remember how *job* ended."""
        self.verdicts[job] = PASSED if passed else FAILED

    def fit(self, job: str, needs: list[str]) -> bool:
        """Whether everything passed that *job* needs; if not, it is skipped."""
        if all(self.verdicts.get(one) == PASSED for one in needs):
            return True
        self.verdicts[job] = SKIPPED
        return False

    def let(self, job: str) -> bool:
        """Whether a person lets *job* go on; until then it waits."""
        if job not in self.approved:
            self.verdicts[job] = WAITING
        return job in self.approved

    def _git_apart(self) -> dict[str, str]:
        """Return what keeps git's settings of a job apart from those of whoever runs the tests."""
        return {"GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig")}

    @staticmethod
    def _git(*words: str, cwd: Path) -> str:
        return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def github(found: Any, machine: Machine, *, reviewed: tuple[str, ...] = ()) -> None:
    """Run the jobs of a workflow for a push; environments in *reviewed* have required reviewers."""
    outputs: dict[str, str] = {}
    for name, job in found["jobs"].items():
        needs = job.get("needs", [])
        names = {"github.event_name": "push", "github.ref_name": machine.branch, **outputs}
        if not machine.fit(name, needs):
            continue
        if "if" in job and not _holds(job["if"], names):
            machine.verdicts[name] = SKIPPED
        elif job.get("environment") not in reviewed or machine.let(name):
            ran = _github_job(name, {**job, "defaults": found["defaults"]}, machine)
            outputs |= {f"needs.{name}.{key}": value for key, value in ran.items()}


def _github_job(name: str, job: Any, machine: Machine) -> dict[str, str]:
    where, passed, outputs = machine.folder / name, True, {}
    told = machine.folder / f"{name}.out"
    told.touch()
    shell = STRICT if job["defaults"]["run"]["shell"] == "bash" else LAX  # without a word it is bash -e
    secrets = machine.secrets if "environment" in job else {}
    variables = {key: _filled(value, secrets) for key, value in job.get("env", {}).items()}
    for step in job["steps"]:
        if not passed and step.get("if") != "always()":
            continue
        if "uses" in step:
            where = _github_action(step, machine, where)
            continue
        given = {**_github_variables(job, machine), **variables, "GITHUB_OUTPUT": str(told)}
        passed = machine.run(shell + step["run"], where, given) and passed
    machine.note(name, passed=passed)
    answers = dict(line.split("=", 1) for line in told.read_text().splitlines())
    for key, value in job.get("outputs", {}).items():
        outputs[f"outputs.{key}"] = answers.get(value.strip("${} ").rpartition(".")[2], "")
    return outputs


def _github_variables(job: Any, machine: Machine) -> dict[str, str]:
    """Return what a runner sets; some of it is there and empty for a push."""
    may_ask = job.get("permissions", {}).get("id-token") == "write"
    asking = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.invalid/?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN}
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF": f"refs/heads/{machine.branch}",
        "GITHUB_REF_NAME": machine.branch,
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_HEAD_REF": "",
        "GITHUB_BASE_REF": "",
        "GITHUB_SHA": machine.commit,
        **(asking if may_ask else {}),
    }


def _github_action(step: Any, machine: Machine, where: Path) -> Path:
    action, given = step["uses"].partition("@")[0], step.get("with", {})
    if action == "actions/checkout":
        return machine.clone(where.name, depth=int(given.get("fetch-depth", 1)))
    assert action in {"actions/setup-python", "actions/upload-artifact"}, action
    if action == "actions/upload-artifact":
        machine.keep(given["name"], where / given["path"])
    return where


def _filled(value: str, secrets: dict[str, str]) -> str:
    filled = re.sub(r"\$\{\{ secrets\.(\w+) \}\}", lambda one: secrets.get(one[1], ""), value)
    return filled.replace("${{ '${{' }}", "${{")


def _holds(condition: str, names: dict[str, str]) -> bool:
    """Evaluate an expression of GitHub made of `||`, `&&`, `==`, `!=`, names and texts."""

    def value(word: str) -> str:
        return word[1:-1] if word.startswith("'") else names.get(word, "")

    def compared(one: str) -> bool:
        left, sign, right = one.strip().split(" ")
        assert sign in {"==", "!="}, one
        return (value(left) == value(right)) == (sign == "==")

    return any(all(compared(one) for one in every.split("&&")) for every in condition.split("||"))


def gitlab(found: Any, machine: Machine) -> None:
    """Run the jobs of a pipeline of GitLab for a push, stage after stage."""
    other = {"stages", "variables", "workflow"}
    jobs = {key: _extended(found, one) for key, one in found.items() if key not in other and not key.startswith(".")}
    for name, job in sorted(jobs.items(), key=lambda one: found["stages"].index(one[1]["stage"])):
        when = _gitlab_rule(job.get("rules", [{}]), machine.branch)
        if (
            when == "never"
            or not machine.fit(name, job.get("needs", []))
            or (when == "manual" and not machine.let(name))
        ):
            continue
        _gitlab_job(name, {**job, "variables": {**found.get("variables", {}), **job.get("variables", {})}}, machine)


def _gitlab_job(name: str, job: Any, machine: Machine) -> None:
    """Run one job: all lines are one script, what comes after is another one, and neither stops the artifacts."""
    where = machine.clone(name, depth=int(job["variables"].get("GIT_DEPTH", "20")), detached=True)
    system = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_COMMIT_BRANCH": machine.branch,
        "CI_COMMIT_REF_NAME": machine.branch,
        "CI_COMMIT_SHA": machine.commit,
        "CI_PIPELINE_SOURCE": "push",
        "CI_PROJECT_DIR": str(where),
    }
    given = {
        key: _gitlab_expanded(value, system)
        for key, value in job["variables"].items()
        if not key.startswith(("DOCKER_", "PIP_"))  # the engine, and the cache, are those of this machine
    }
    tokens = dict.fromkeys(job.get("id_tokens", {}), TOKEN)
    variables = {**system, **given, **tokens, **(machine.secrets if "environment" in job else {})}
    lines = [*job.get("before_script", []), *job["script"]]
    passed = machine.run(STRICT + "\n".join(lines), where, variables)
    machine.run(STRICT + "\n".join(job.get("after_script", ["true"])), where, variables)
    kept = job.get("artifacts", {})
    if passed or kept.get("when") == "always":
        for path in kept.get("paths", []):
            machine.keep(name, where / path)
    machine.note(name, passed=passed)


def _gitlab_expanded(value: str, system: dict[str, str]) -> str:
    """Return the *value* of a variable with others in it: `$NAME`, and `$$` for the sign itself."""
    return re.sub(r"\$(\$|\w+)", lambda one: "$" if one[1] == "$" else system.get(one[1], ""), value)


def _extended(found: Any, job: Any) -> Any:
    if "extends" not in job:
        return job
    return _merged(_extended(found, found[job["extends"]]), {key: one for key, one in job.items() if key != "extends"})


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _merged(under.get(key), one) for key, one in over.items()}}


def _gitlab_rule(rules: list[Any], branch: str) -> str:
    """Return what the first rule that holds says of *when*; never, if none does."""
    for rule in rules:
        if "if" not in rule or _gitlab_holds(rule["if"], branch):
            return str(rule.get("when", "on_success"))
    return "never"


def _gitlab_holds(condition: str, branch: str) -> bool:
    name, sign, value = condition.split(" ", 2)
    assert name == "$CI_COMMIT_BRANCH", condition
    if sign == "=~":
        return bool(re.search(value.strip("/").replace("\\/", "/"), branch))
    assert sign in {"==", "!="}, condition
    return (branch == value.strip('"')) == (sign == "==")


def circleci(found: Any, machine: Machine) -> None:
    """Run the jobs of the only workflow for a push to the branch."""
    (workflow,) = found["workflows"].values()
    for one in workflow["jobs"]:
        ((name, call),) = one.items() if isinstance(one, dict) else ((one, {}),)
        if not _circleci_filter(call.get("filters", {}).get("branches", {}), machine.branch):
            continue
        if not machine.fit(name, call.get("requires", [])):
            continue
        if call.get("type") == "approval":
            if machine.let(name):
                machine.note(name, passed=True)
        else:
            _circleci_job(name, found, machine, trusted="context" in call)


def _circleci_filter(filters: Any, branch: str) -> bool:
    def matches(patterns: Any) -> bool:
        listed = patterns if isinstance(patterns, list) else [patterns]
        return any(
            bool(re.fullmatch(one[1:-1].replace("\\/", "/"), branch)) if one.startswith("/") else one == branch
            for one in listed
        )

    return ("only" not in filters or matches(filters["only"])) and not matches(filters.get("ignore", []))


def _circleci_job(name: str, found: Any, machine: Machine, *, trusted: bool) -> None:
    job, passed, where = found["jobs"][name], True, machine.folder / name
    system = {"CI": "true", "CIRCLECI": "true", "CIRCLE_BRANCH": machine.branch, "CIRCLE_SHA1": machine.commit}
    kept = machine.folder / f"{name}.env"
    kept.touch()
    if "executor" in job:
        given = found["executors"][job["executor"]]["docker"][0].get("environment", {})
        system |= {key: value.replace("\\<<", "<<") for key, value in given.items()}
    secrets = {"CIRCLE_OIDC_TOKEN_V2": TOKEN, **machine.secrets} if trusted else {}
    variables = {**system, "BASH_ENV": str(kept), **secrets}
    for step in _circleci_steps(job["steps"], found["commands"]):
        if step == "checkout":
            where = machine.clone(name)
        elif "run" in step and (passed or step["run"].get("when") == "always"):
            script = step["run"]["command"].replace("\\<<", "<<")
            passed = machine.run(STRICT + script, where, variables) and passed
        elif "store_artifacts" in step:  # whether the job has failed or not
            machine.keep(name, where / step["store_artifacts"]["path"])
    machine.note(name, passed=passed)


def _circleci_steps(steps: list[Any], commands: Any) -> list[Any]:
    known = {"checkout", "run", "store_artifacts", "store_test_results", "restore_cache", "save_cache"}
    flat = [
        other
        for one in steps
        for other in (commands[one]["steps"] if isinstance(one, str) and one in commands else [one])
    ]
    assert all((one if isinstance(one, str) else next(iter(one))) in known for one in flat), flat
    return flat


def codebuild(found: Any, machine: Machine) -> None:
    """Run the phases of a build that a push has started. The first one that fails is the last one.

    What is uploaded is looked for also after a failure of the last phase, and a build without it has failed.
    """
    where, passed = machine.clone("build", detached=True), True
    system = {
        "CODEBUILD_BUILD_ID": "shop:1",
        "CODEBUILD_INITIATOR": "GitHub-Hookshot/abc1234",
        "CODEBUILD_SOURCE_VERSION": machine.commit,
        "CODEBUILD_WEBHOOK_EVENT": "PUSH",
        "CODEBUILD_WEBHOOK_TRIGGER": f"branch/{machine.branch}",
        "CODEBUILD_WEBHOOK_HEAD_REF": f"refs/heads/{machine.branch}",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": machine.commit,
        **machine.secrets,
    }
    for name, phase in found["phases"].items():
        assert phase.get("on-failure", "ABORT") == "ABORT"
        passed = machine.run(_one_shell(phase["commands"]), where, system)
        for one in phase.get("finally", ()):
            machine.run(one, where, system)
        machine.note(name, passed=passed)
        if not passed and name != "build":
            return
    (pattern,) = found["artifacts"]["files"]
    if not machine.keep("build", where / pattern.removesuffix("/**/*")):
        machine.verdicts["build"] = FAILED


def _one_shell(commands: list[str]) -> str:
    """Return *commands* as CodeBuild runs them: in one shell, which looks at the exit code of each, and at no other."""
    return "\n".join(f"{one}\ncode=$?; [ $code -eq 0 ] || exit $code" for one in commands)


RUN = {"github": github, "gitlab": gitlab, "circleci": circleci, "codebuild": codebuild}
