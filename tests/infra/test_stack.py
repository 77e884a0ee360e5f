from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from moto import mock_aws

from deploylib.config import STACK, Account
from deploylib.errors import RefusedError, TerraformError
from deploylib.infra.stack import child_variables
from tests.infra.bench import CHANGED, Bench, shown
from tests.infra.stand_in import error

NOT_INITIALISED = error('Backend initialization required, please run "terraform init"')


def test_the_wrong_account_is_refused_before_anything_is_made(bench: Bench) -> None:
    wrong = replace(bench, environment=replace(bench.environment, account=Account(id="9" * 12, region="eu-west-1")))
    with pytest.raises(RefusedError, match="999999999999"):
        wrong.open()
    assert set(bench.account.calls) == {"sts:GetCallerIdentity"}
    assert bench.stand_in.calls == []
    assert not bench.cache.exists()


def test_the_first_init_makes_the_bucket_and_says_so(bench: Bench) -> None:
    assert bench.open().init() is True
    assert bench.stand_in.commands == ["init"]
    assert bench.told[0] == "shop-terraform-123456789012: is there"


def test_init_is_left_out_when_nothing_changed(bench: Bench) -> None:
    bench.open().init()
    bench.account.calls.clear()
    assert bench.open().init() is False
    assert bench.stand_in.commands == ["init"]
    assert set(bench.account.calls) == {"sts:GetCallerIdentity"}


@pytest.mark.parametrize(
    ("file", "text", "again"),
    [
        (".terraform.lock.hcl", "# another version", True),
        ("more.tf", 'module "x" {\n  source = "../modules/x"\n}\n', True),
        ("main.tf", 'module "network" {\n  source = "../modules/network"\n  cidr = "10.9.0.0/16"\n}\n', False),
        ("notes.md", "source = nothing", False),
    ],
)
def test_init_is_repeated_when_what_it_depends_on_changed(bench: Bench, file: str, text: str, *, again: bool) -> None:
    bench.open().init()
    (bench.environment.root / STACK / file).write_text(text)
    assert bench.open().init() is again


def test_init_is_repeated_for_another_bucket_and_another_terraform(bench: Bench) -> None:
    bench.open().init()
    account = replace(bench.environment.account, state_bucket="company-states")
    assert replace(bench, environment=replace(bench.environment, account=account)).open().init() is True
    bench.open().init()
    os.utime(bench.stand_in.program, (1, 1))
    assert bench.open().init() is True


def test_a_failed_init_is_repeated(bench: Bench) -> None:
    bench.stand_in.answer(init=[error("Failed to query available provider packages"), {}])
    with pytest.raises(TerraformError, match="stg: terraform init") as caught:
        bench.open().init()
    assert "DEPLOY_PROVIDER_MIRROR" in caught.value.hint
    assert bench.open().init() is True


def test_whatever_may_hold_a_secret_is_readable_by_us_alone(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("sensitive")])
    with bench.open().plan() as saved:
        found = [saved.file, *(path for path in bench.cache.iterdir() if path.is_file())]
        assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
        assert bench.cache.stat().st_mode & 0o777 == 0o700


def test_a_plan_gets_the_environments_variables_and_its_own_data_directory(bench: Bench) -> None:
    with bench.open().plan():
        pass
    init, plan = bench.stand_in.calls
    assert plan["env"]["TF_DATA_DIR"] == str(bench.cache / "data") == init["env"]["TF_DATA_DIR"]
    assert plan["env"]["TF_IN_AUTOMATION"] == "1"
    assert plan["env"]["AWS_REGION"] == "ap-northeast-1"
    assert plan["cwd"] == str(bench.environment.root / STACK)
    assert json.loads(plan["files"]["variables.tfvars.json"][1]) == {
        "app": "shop",
        "environment": "stg",
        "account_id": "123456789012",
        "region": "ap-northeast-1",
        "feature": "v1",
    }
    assert 'key = "shop/stg/terraform.tfstate"' in init["files"]["backend.tfbackend"][1]


def test_a_plan_with_changes_is_shown_once(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("environment_variable")])
    with bench.open().plan() as saved:
        assert [str(one.action) for one in saved.changes.changes] == ["replace", "change"]
    assert bench.stand_in.commands == ["init", "plan", "show"]


def test_a_plan_without_changes_costs_one_command(bench: Bench) -> None:
    with bench.open().plan() as saved:
        assert not saved.changes
    assert bench.stand_in.commands == ["init", "plan"]


def test_what_terraform_warns_of_is_kept(bench: Bench) -> None:
    bench.stand_in.answer(plan=[{"stdout": "╷\n│ Warning: Deprecated\n│ \n│ use another\n╵\n"}])
    with bench.open().plan() as saved:
        assert saved.changes.warnings == ("Warning: Deprecated\n\nuse another",)


def test_exactly_the_shown_plan_is_applied_and_then_gone(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("moved")], apply=[{"stdout": "Apply complete!\n"}])
    stack = bench.open()
    with stack.plan() as saved:
        stack.apply(saved)
        assert not saved.file.exists()
    planned, applied = bench.stand_in.calls[1], bench.stand_in.calls[3]
    assert f"-out={applied['argv'][-1]}" in planned["argv"]
    assert bench.stand_in.commands == ["init", "plan", "show", "apply"]
    assert bench.told[-1] == "Apply complete!"


def test_a_plan_that_is_not_applied_is_gone_too(bench: Bench) -> None:
    with pytest.raises(RefusedError), bench.open().plan() as saved:
        assert saved.file.exists()
        raise RefusedError("not confirmed")
    assert bench.plans == []


def test_a_plan_that_failed_leaves_nothing(bench: Bench) -> None:
    bench.stand_in.answer(plan=[error("Invalid index", "on main.tf")])
    with pytest.raises(TerraformError, match=r"Invalid index\n\non main\.tf"), bench.open().plan():
        pytest.fail("there is no plan")
    assert bench.plans == []


def test_a_failed_apply_leaves_no_plan(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("moved")], apply=[error("creating it")])
    stack = bench.open()
    with pytest.raises(TerraformError, match="creating it"), stack.plan() as saved:
        stack.apply(saved)
    assert bench.plans == []


def test_a_plan_of_another_environment_is_refused(bench: Bench) -> None:
    stack = bench.open()
    other = replace(bench, environment=replace(bench.environment, name="prd")).open()
    with stack.plan() as saved, pytest.raises(RefusedError, match="is of stg, not of prd"):
        other.apply(saved)
    assert "apply" not in bench.stand_in.commands


def test_a_killed_runs_plan_is_swept_away_and_a_running_ones_is_not(bench: Bench) -> None:
    bench.open().init()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, held = (bench.cache / f"{process}.tfplan" for process in (dead.pid, os.getppid()))
    left.touch()
    held.touch()
    with bench.open().plan():
        assert not left.exists()
        assert held.exists()


def test_a_destroy_is_a_plan_like_any_other(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("destroy")])
    stack = bench.open()
    with stack.plan(destroy=True) as saved:
        assert saved.destroying
        stack.apply(saved)
    assert "-destroy" in bench.stand_in.calls[1]["argv"]
    assert bench.stand_in.commands == ["init", "plan", "show", "apply"]


def test_terraform_that_wants_init_after_all_gets_it_and_plans_again(bench: Bench) -> None:
    bench.open().init()
    bench.stand_in.answer(plan=[NOT_INITIALISED, {}])
    with bench.open().plan() as saved:
        assert not saved.changes
    assert bench.stand_in.commands == ["init", "plan", "init", "plan"]


def test_terraform_that_wants_init_for_ever_is_an_error(bench: Bench) -> None:
    bench.stand_in.answer(plan=[NOT_INITIALISED])
    with pytest.raises(TerraformError, match="initialization required"), bench.open().plan():
        pytest.fail("there is no plan")
    assert bench.stand_in.commands == ["init", "plan", "init", "plan"]


def test_sensitive_outputs_are_masked_unless_asked_for(bench: Bench) -> None:
    outputs = {"url": {"sensitive": False, "value": "http://x"}, "password": {"sensitive": True, "value": "hunter2"}}
    bench.stand_in.answer(output=[{"stdout": json.dumps(outputs)}])
    stack = bench.open()
    stack.init()
    assert stack.output() == {"password": "(sensitive)", "url": "http://x"}
    assert stack.output(secrets=True)["password"] == "hunter2"


def test_outputs_of_what_was_never_applied_make_no_bucket(bench: Bench) -> None:
    with pytest.raises(TerraformError, match="nothing has been applied yet") as caught:
        bench.open().output()
    assert caught.value.hint == "inv infra.apply --env stg"
    assert set(bench.account.calls) == {"sts:GetCallerIdentity", "s3:HeadBucket"}


def test_outputs_of_a_bucket_that_is_gone_make_no_new_one(bench: Bench) -> None:
    bench.open().init()
    mock_aws().reset()
    bench.account.calls.clear()
    with pytest.raises(TerraformError, match="nothing has been applied yet"):
        bench.open().output()
    assert "s3:CreateBucket" not in bench.account.calls


def test_a_lock_is_released_by_its_id(bench: Bench) -> None:
    bench.open().unlock("6f9eca37")
    assert bench.stand_in.calls[-1]["argv"] == ["force-unlock", "-force", "6f9eca37"]


def test_what_a_shell_could_slip_in_does_not_reach_terraform(bench: Bench) -> None:
    stray = {"TF_WORKSPACE": "x", "TF_CLI_ARGS_plan": "-lock=false", "TF_VAR_domain": "x", "TF_DATA_DIR": "y", "A": "1"}
    found = child_variables(bench.environment, stray, {"TF_CLI_CONFIG_FILE": "c"})
    assert not stray.keys() & (found.keys() - {"A", "TF_DATA_DIR"})
    assert found["A"] == "1"
    assert found["TF_CLI_CONFIG_FILE"] == "c"
    assert found["TF_DATA_DIR"] == str(bench.cache / "data")


def test_an_init_that_failed_after_a_good_one_is_repeated(bench: Bench) -> None:
    bench.stand_in.answer(init=[{}, error("Failed to query available provider packages"), {}])
    bench.open().init()
    with pytest.raises(TerraformError):
        bench.open().init(always=True)
    assert bench.open().init() is True


def test_another_command_gets_its_words_and_its_text_is_passed_on(bench: Bench) -> None:
    bench.open().init()
    bench.stand_in.answer(state=[{"stdout": "module.a\nmodule.b\n"}])
    bench.open().run(["state", "list"])
    assert bench.stand_in.calls[-1]["argv"] == ["state", "list"]
    assert bench.told[-2:] == ["module.a", "module.b"]


def test_a_command_that_reads_the_code_gets_the_variables(bench: Bench) -> None:
    bench.open().init()
    bench.open().run(["import", "aws_thing.this", "i-1"])
    variables = bench.cache / "variables.tfvars.json"
    assert bench.stand_in.calls[-1]["argv"] == ["import", f"-var-file={variables}", "aws_thing.this", "i-1"]


def test_another_command_makes_no_bucket_and_asks_the_guard_first(bench: Bench) -> None:
    with pytest.raises(TerraformError, match="nothing has been applied yet"):
        bench.open().run(["state", "list"])
    with pytest.raises(RefusedError, match="not passed on"):
        bench.open().run(["apply"])
    assert bench.stand_in.calls == []


def test_bootstrap_makes_the_bucket_and_the_backends_file_and_starts_nothing(bench: Bench) -> None:
    assert all(one.done for one in bench.open().bootstrap() if one.what != "is encrypted")
    assert "shop/stg/terraform.tfstate" in (bench.cache / "backend.tfbackend").read_text()
    assert not any(one.done for one in bench.open().bootstrap() if one.what != "takes only TLS")
    assert bench.stand_in.calls == []


def test_terraform_collects_less_garbage_unless_somebody_says_how_much(bench: Bench) -> None:
    assert child_variables(bench.environment, {}, {})["GOGC"] == "400"
    assert child_variables(bench.environment, {"GOGC": "100"}, {})["GOGC"] == "100"


def test_what_is_needed_later_is_done_while_terraform_plans(bench: Bench) -> None:
    done: list[str] = []
    with bench.open().plan(meanwhile=lambda: done.append("loaded")):
        assert done == ["loaded"]


def test_what_cannot_be_done_meanwhile_is_no_reason_to_plan_nothing(bench: Bench) -> None:
    with bench.open().plan(meanwhile=lambda: 1 / 0) as plan:
        assert not plan.changes
