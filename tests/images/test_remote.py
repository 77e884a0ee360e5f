"""Images built by CodeBuild: what is given to it, what becomes of what it says, and that nothing is left."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import contract as contracts
from deploylib.config import GivenContract, GivenRemoteBuild, RegistryLogin, RoleImage
from deploylib.errors import AwsError, ConfigError, ContractError, ImageError
from deploylib.events import BuildLogged, Built, Pushed
from deploylib.images import builders, building, gate, planning, registry, remote, tags
from deploylib.images.buildlog import TagTakenError
from deploylib.images.recipe import recipes
from deploylib.images.supplies import Supplies, Wishes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.fakes.clock import interrupt
from tests.fakes.codebuild import Course
from tests.images.builder import finish
from tests.images.kitchen import CLEAN, environment, shop, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.events import Event
    from deploylib.images.recipe import Recipe
    from tests.fakes.codebuild import Build

PROJECT, BUCKET = "shop-stg-build", "shop-stg-build-111111111111"
REGISTRY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com"
REPOSITORY = f"{REGISTRY}/shop"
REFERENCE = f"{REPOSITORY}:app-c0123456789ab"
DEBIAN = "sha256:" + "de" * 32
UNREADABLE = "AccessDeniedException: User … is not authorized to perform: ssm:GetParameters on resource: …/shop/npm"


def nothing(_: str) -> None:
    """Listen to nothing."""


@pytest.fixture
def fake() -> FakeAccount:
    account = FakeAccount(cluster="shop-stg")
    account.ecr.have("shop", "something-else")
    account.s3.objects[BUCKET] = {}
    account.codebuild.projects.add(PROJECT)
    return account


def published(platform: str = "linux/amd64", *, remote_build: bool = True) -> Contract:
    place = {"project": PROJECT, "bucket": BUCKET, "platform": platform}
    return contracts.parse(
        json.dumps(
            {
                "version": 1,
                "app": "shop",
                "environment": "stg",
                "account_id": "111111111111",
                "region": "ap-northeast-1",
                "cluster": "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg",
                "repository": REPOSITORY,
                "ledger": "",
                "services": {},
                **({"remote_build": place} if remote_build else {}),
            }
        ),
        "/shop/stg/contract",
    )


def one(root: Path, text: str = "FROM debian:12\nARG COMMIT\nCOPY page.py /\n", **settings: Any) -> Recipe:
    write(root, Dockerfile=text, page_py="print()\n")
    app = environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile", **settings)})
    return recipes(app, CLEAN, lambda names: dict.fromkeys(names, DEBIAN))[0]


def builder(fake: FakeAccount, given: Supplies = Supplies(), **settings: Any) -> remote.Remote:  # noqa: B008  # frozen
    place = published().remote_build
    assert place
    return remote.Remote(
        account=fake.account,
        place=place,
        repository=REPOSITORY,
        mended="inv infra.apply --env stg",
        clock=fake.clock,
        given=given,
        built={},
        **settings,
    )


def source(fake: FakeAccount, name: str) -> str:
    """Return one file of the archive that the last build was given."""
    bucket, _, key = fake.codebuild.builds[-1].request["sourceLocationOverride"].partition("/")
    with zipfile.ZipFile(io.BytesIO(fake.s3.objects[bucket][key])) as packed:
        return packed.read(name).decode()


def commands(fake: FakeAccount) -> list[str]:
    phases = json.loads(source(fake, "buildspec.yml"))["phases"]
    return [command for phase in phases.values() for command in phase["commands"]]


def test_the_build_runs_what_it_is_given(fake: FakeAccount, tmp_path: Path) -> None:
    builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert commands(fake) == [
        "mkdir context && tar -xf context.tar -C context",
        f"set -o pipefail; aws ecr get-login-password | docker login --username AWS --password-stdin {REGISTRY}",
        f"docker pull --quiet debian@{DEBIAN} && docker tag debian@{DEBIAN} debian:12",
        f'docker build --file=Dockerfile --build-arg=COMMIT={CLEAN.commit} --tag="$IMAGE" context',
        'docker push --quiet "$IMAGE"',
    ]


def test_an_image_has_a_name_of_its_own_until_it_is_pushed(fake: FakeAccount, tmp_path: Path) -> None:
    made = builder(fake)
    made.build(one(tmp_path), REFERENCE, base="", line=nothing)
    (waiting,) = (tag for tag in fake.ecr.tags["shop"] if tags.is_waiting(tag))
    assert fake.codebuild.builds[0].image == f"{REPOSITORY}:{waiting}"
    assert "app-c0123456789ab" not in fake.ecr.tags["shop"]
    digest = made.push("app", REFERENCE)
    made.close()
    assert fake.ecr.tags["shop"]["app-c0123456789ab"] == digest
    assert waiting not in fake.ecr.tags["shop"]


def test_an_image_that_is_not_pushed_goes_with_its_name(fake: FakeAccount, tmp_path: Path) -> None:
    before = dict(fake.ecr.images["shop"])
    made = builder(fake)
    made.build(one(tmp_path), REFERENCE, base="", line=nothing)
    made.close()
    assert fake.ecr.images["shop"] == before


def test_a_tag_that_somebody_else_took_meanwhile_is_said(fake: FakeAccount, tmp_path: Path) -> None:
    made = builder(fake)
    made.build(one(tmp_path), REFERENCE, base="", line=nothing)
    fake.ecr.have("shop", "app-c0123456789ab", manifest="{}")
    with pytest.raises(TagTakenError, match="another image's already"):
        made.push("app", REFERENCE)


def test_the_log_is_followed_without_what_codebuild_says_itself(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(lines=("[Container] 2026/11/21 Entering phase BUILD", "#5 RUN make", "#5 DONE"))
    lines: list[str] = []
    builder(fake).build(one(tmp_path), REFERENCE, base="", line=lines.append)
    assert lines == ["#5 RUN make", "#5 DONE"]


def test_lines_that_arrive_when_the_build_has_ended_are_shown_too(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(status="FAILED", queued_seconds=59, seconds=60, lines=("no such package",))
    fake.logs.late_seconds = 7.5
    with pytest.raises(ImageError, match="no such package"):
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)


@pytest.mark.parametrize(
    ("course", "said", "hint"),
    [
        (Course(status="FAILED", lines=("boom",)), "BUILD: Error while executing command", "the whole log: https://"),
        (Course(status="TIMED_OUT", reason="Build timed out."), "Build timed out.", "remote_build.timeout_minutes"),
        (Course(status="STOPPED"), "is STOPPED", "repeat the command"),
        (
            Course(status="FAULT", queued_seconds=90, phase="PROVISIONING", reason="no capacity"),
            "PROVISIONING: no capacity",
            "repeat the command",
        ),
        (
            Course(status="FAILED", queued_seconds=90, phase="DOWNLOAD_SOURCE", reason="the source is no zip"),
            "DOWNLOAD_SOURCE: the source is no zip",
            "the whole log: ",
        ),
        (
            Course(status="FAILED", phase="DOWNLOAD_SOURCE", reason=UNREADABLE),
            "is not authorized to perform: ssm:GetParameters",
            "remote_build.build_parameters in [terraform]",
        ),
    ],
    ids=lambda value: value.status if isinstance(value, Course) else "",
)
def test_a_build_that_does_not_succeed_says_why(
    fake: FakeAccount, tmp_path: Path, course: Course, said: str, hint: str
) -> None:
    fake.codebuild.course = course
    with pytest.raises(ImageError, match="image app was not built: CodeBuild's build") as caught:
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert said in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 4


def test_secrets_are_read_by_codebuild_and_hidden_here(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(status="FAILED", lines=("token npm-token-of-shop",), reason="npm-token-of-shop?")
    recipe = one(tmp_path, "FROM scratch\nRUN --mount=type=secret,id=npm npm ci\n", secrets={"npm": "/shop/npm"})
    hub = {"docker.io": RegistryLogin(username="shop", password_parameter="/shop/hub")}
    made = builder(fake, Supplies(secrets={"/shop/npm": "npm-token-of-shop"}), registries=hub)
    lines: list[str] = []
    with pytest.raises(ImageError) as caught:
        made.build(recipe, REFERENCE, base="", line=lines.append)
    assert lines == ["token ***"]
    assert "npm-token" not in str(caught.value)
    read = json.loads(source(fake, "buildspec.yml"))["env"]["parameter-store"]
    assert read == {"BUILD_SECRET_0": "/shop/npm", "REGISTRY_PASSWORD_0": "/shop/hub"}
    assert 'printf %s "$REGISTRY_PASSWORD_0" | docker login --username shop --password-stdin' in commands(fake)
    assert "--secret=id=npm,env=BUILD_SECRET_0" in commands(fake)[-2]
    assert "npm-token" not in json.dumps(fake.codebuild.builds[0].request)
    assert not [content for content in fake.s3.objects[BUCKET].values() if b"npm-token" in content]


def test_what_is_in_an_argument_is_one_word_of_the_command(fake: FakeAccount, tmp_path: Path) -> None:
    recipe = one(tmp_path, "FROM scratch\nARG WHAT\nCOPY page.py /\n", build_args={"WHAT": "two $(words); 'x'"})
    builder(fake).build(recipe, REFERENCE, base="", line=nothing, use_cache=False)
    (command,) = (text for text in commands(fake) if text.startswith("docker build"))
    assert "--no-cache" in command
    assert "'--build-arg=WHAT=two $(words); '\"'\"'x'\"'\"''" in command


def test_a_build_that_nobody_follows_any_more_is_stopped(fake: FakeAccount, tmp_path: Path) -> None:
    made = builder(fake)
    fake.clock.after(20, made.stop)
    with pytest.raises(ImageError, match="was stopped"):
        made.build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert fake.codebuild.builds[0].status == "STOPPED"
    assert not made.built


def test_ctrl_c_stops_the_build(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(lines=("one line",))

    def listen(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=listen)
    assert fake.codebuild.builds[0].status == "STOPPED"


def test_ctrl_c_while_a_build_says_nothing_stops_it(fake: FakeAccount, tmp_path: Path) -> None:
    fake.clock.after(30, interrupt)
    with pytest.raises(KeyboardInterrupt):
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert fake.codebuild.builds[0].status == "STOPPED"


def test_a_start_that_was_throttled_is_asked_for_again_and_starts_one_build(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.throttle(3, "start_build")
    fake.codebuild.refuse("start_build", "ServiceUnavailable", done=True)
    builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert fake.calls["codebuild:StartBuild"] == 5
    assert len(fake.codebuild.builds) == 1


def test_aws_that_is_silent_for_a_moment_ends_no_build(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(lines=("one", "two"))
    fake.codebuild.throttle(8, "batch_get_builds")
    fake.logs.throttle(5, "get_log_events")
    lines: list[str] = []
    builder(fake).build(one(tmp_path), REFERENCE, base="", line=lines.append)
    assert lines == ["one", "two"]
    assert fake.codebuild.builds[0].status == "SUCCEEDED"


def test_what_was_read_of_a_log_before_aws_was_silent_is_shown(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(lines=tuple(map(str, range(9))))
    fake.logs.page = 3
    pages = iter((False, True, False, True, True))
    fake.logs.fault = lambda _: "ThrottlingException" if next(pages, False) else ""
    lines: list[str] = []
    builder(fake).build(one(tmp_path), REFERENCE, base="", line=lines.append)
    assert lines == list(map(str, range(9)))


def test_a_build_that_aws_tells_nothing_of_any_more_is_stopped(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(seconds=3600)
    fake.codebuild.throttle(1000, "batch_get_builds")
    with pytest.raises(ImageError, match=r"image app was not built: .*ThrottlingException"):
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert remote.PATIENCE_SECONDS <= fake.clock.monotonic() < remote.PATIENCE_SECONDS + 10
    assert fake.codebuild.builds[0].status == "STOPPED"


def test_a_project_that_is_gone_is_made_by_terraform(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.projects.clear()
    with pytest.raises(ImageError, match=r"image app was not built: .*StartBuild.*Project cannot be found") as caught:
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert caught.value.hint == "inv infra.apply --env stg"
    assert caught.value.exit_code == 4


def test_a_bucket_that_is_gone_is_made_by_terraform(fake: FakeAccount, tmp_path: Path) -> None:
    fake.s3.objects.clear()
    with pytest.raises(ImageError, match=r"image app was not built: .*NoSuchBucket") as caught:
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert caught.value.hint == "inv infra.apply --env stg"


def test_a_pull_limit_is_told_with_what_helps(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.course = Course(status="FAILED", lines=("toomanyrequests: You have reached your pull rate limit",))
    with pytest.raises(ImageError) as caught:
        builder(fake).build(one(tmp_path), REFERENCE, base="", line=nothing)
    assert caught.value.hint.startswith("sign in to Docker Hub")


def test_buildkit_is_asked_for_where_the_dockerfile_needs_it(fake: FakeAccount, tmp_path: Path) -> None:
    for text, wanted in (("FROM scratch\nCOPY page.py /\n", False), ("FROM scratch\nCOPY --link page.py /\n", True)):
        builder(fake).build(one(tmp_path, text), REFERENCE, base="", line=nothing)
        variables = json.loads(source(fake, "buildspec.yml"))["env"]["variables"]
        assert ("DOCKER_BUILDKIT" in variables) is wanted


def test_a_base_that_has_no_name_yet_is_stood_on_by_its_digest(fake: FakeAccount, tmp_path: Path) -> None:
    base, web, _ = recipes(shop(tmp_path), CLEAN, nobody)
    made, reference = builder(fake), f"{REPOSITORY}:{base.tags[0]}"
    made.build(base, reference, base="", line=nothing)
    made.build(web, f"{REPOSITORY}:{web.tags[0]}", base=reference, line=nothing)
    assert f"FROM {REPOSITORY}@{made.built[reference].image.digest}" in source(fake, "Dockerfile")


# As a release does it


def configured(root: Path, **images: Any) -> Environment:
    app = shop(root)
    return replace(app, images=replace(app.images, engine="codebuild", **images))


def release(
    fake: FakeAccount,
    app: Environment,
    contract: Contract,
    open_tests: gate.OpenTests = gate.without_tests,
    wished: Wishes = Wishes(),  # noqa: B008  # frozen
) -> tuple[list[Event], dict[str, str]]:
    menu = recipes(app, CLEAN, nobody)
    present = registry.present(fake.account.ecr, REPOSITORY, planning.tags(menu))
    plans = planning.plan_images(menu, present)
    fake.forget_calls()
    with builders.opened(fake.account, app, contract, open_tests=open_tests, find=Engine, clock=fake.clock) as way:  # type: ignore[arg-type]  # what is asked of it is there
        return finish(
            building.carry_out(
                fake.account,
                REPOSITORY,
                menu,
                plans,
                clock=fake.clock,
                wished=wished,
                connect=way.connect,
                open_tests=way.open_tests,
            )
        )


@dataclass(frozen=True)
class Engine:
    """An engine that has every image already; its client is `true`."""

    name: str = "docker"
    program: str = "true"
    environ: dict[str, str] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)

    @property
    def api(self) -> Engine:
        return self

    def get(self, path: str) -> Mapping[str, str]:
        self.pulled.append(path)
        return {"Id": "sha256:1"}


@dataclass
class Trials:
    """Tests of *images*; *run_with* has those that were run, *failing* those that do not pass."""

    images: tuple[str, ...] = ("web",)
    failing: tuple[str, ...] = ()
    run_with: list[str] = field(default_factory=list)

    def run(self, image: str, _: gate.Emit) -> None:
        self.run_with.append(image)
        if image in self.failing:
            raise ImageError(f"the tests of {image} failed")

    def stop(self) -> None:
        """There is nothing to stop."""

    @contextlib.contextmanager
    def opened(self, _: Mapping[str, str], __: Mapping[str, str], ___: Sequence[str]) -> Iterator[Trials]:
        yield self


def names(fake: FakeAccount) -> set[str]:
    return set(fake.ecr.tags["shop"]) - {"something-else"}


def test_a_release_builds_all_there_and_leaves_their_content_tags_alone(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    events, digests = release(fake, app, published())
    assert {event.image for event in events if isinstance(event, Built)} == {"base", "web", "job"}
    assert {event.image: event.digest for event in events if isinstance(event, Pushed)} == digests
    assert names(fake) == {tag for one in recipes(app, CLEAN, nobody) for tag in one.tags} | {"base"}


def test_a_second_release_builds_nothing(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    _, first = release(fake, app, published())
    _, second = release(fake, app, published(remote_build=False))
    assert second == first
    assert not fake.calls["codebuild:StartBuild"]


def test_a_role_that_does_not_pass_its_tests_has_no_content_tag(fake: FakeAccount, tmp_path: Path) -> None:
    trials = Trials(failing=("web",))
    app = configured(tmp_path)
    with pytest.raises(ImageError, match="the tests of web failed"):
        release(fake, app, published(), trials.opened)
    assert names(fake) == {recipes(app, CLEAN, nobody)[0].tags[0], "base"}
    assert trials.run_with == ["web"]


def test_one_build_that_fails_stops_the_others(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    fake.codebuild.doing = _only_the_first(fake)
    with pytest.raises(ImageError) as caught:
        release(fake, app, published())
    assert caught.value.image in {"web", "job"}
    assert [build.status for build in fake.codebuild.builds].count("IN_PROGRESS") == 0
    assert names(fake) == {recipes(app, CLEAN, nobody)[0].tags[0], "base"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("image ")]


def _only_the_first(fake: FakeAccount) -> Callable[[Build], None]:
    """Push what the first build makes, and nothing of the others: so they succeed, and their image is nowhere."""
    push = fake.codebuild.doing
    return lambda build: push(build) if build is fake.codebuild.builds[0] else None


def test_without_a_project_the_hint_says_how_to_get_one(fake: FakeAccount, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="names no project") as caught:
        release(fake, configured(tmp_path), published(remote_build=False))
    assert caught.value.hint == "remote_build = {} in [terraform], then inv infra.apply --env stg"
    assert not fake.writes


def test_a_project_for_another_platform_is_refused(fake: FakeAccount, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"images\.platform is linux/amd64, but .* builds for linux/arm64"):
        release(fake, configured(tmp_path), published("linux/arm64"))


def test_a_project_of_others_stands_in_the_environments_file(fake: FakeAccount, tmp_path: Path) -> None:
    given = GivenContract(
        cluster="arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop",
        repository=REPOSITORY,
        ledger="shop-releases",
        services={},
        remote_build=GivenRemoteBuild(project=PROJECT, bucket=BUCKET, platform="linux/amd64"),
    )
    app = replace(configured(tmp_path), contract=given)
    _, digests = release(fake, app, contracts.of(fake.account.ssm, app))
    assert set(digests) == {"base", "web", "job"}
    for built, on in ((None, "names no project"), (replace(given.remote_build, platform="linux/arm64"), "builds for")):  # type: ignore[type-var]  # it is there
        other = replace(app, contract=replace(given, remote_build=built))
        with pytest.raises(ContractError, match=on) as caught:
            builders.place(other, contracts.of(fake.account.ssm, other))
        assert caught.value.hint == "correct [contract.remote_build] in environments/stg.toml"


def test_attestations_are_refused(fake: FakeAccount, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"images\.sbom"):
        release(fake, configured(tmp_path), published(), wished=Wishes(sbom=True))


def test_names_that_cannot_be_taken_off_hinder_no_release(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    fake.ecr.refuse("batch_delete_image", "AccessDeniedException", times=9)
    _, digests = release(fake, app, published())
    assert set(digests) == {"base", "web", "job"}


def test_a_refusal_of_aws_is_a_failed_image(fake: FakeAccount, tmp_path: Path) -> None:
    fake.codebuild.refuse("start_build", "AccountLimitExceededException")
    with pytest.raises(ImageError, match="AccountLimitExceededException") as caught:
        release(fake, configured(tmp_path), published())
    assert isinstance(caught.value.__cause__, AwsError)
    assert caught.value.hint.startswith("the account runs as many builds as it may")


# A run that was killed, and the next one


def killed(fake: FakeAccount, app: Environment) -> None:
    """Release until everything is built, and die: nothing is pushed, nothing is taken back."""
    menu = recipes(app, CLEAN, nobody)
    place = published().remote_build
    assert place
    made = remote.Remote(
        account=fake.account,
        place=place,
        repository=REPOSITORY,
        mended="inv infra.apply --env stg",
        clock=fake.clock,
        given=Supplies(),
        built={},
    )
    base = f"{REPOSITORY}:{menu[0].tags[0]}"
    for recipe in menu:
        made.build(recipe, f"{REPOSITORY}:{recipe.tags[0]}", base=base if recipe.image != "base" else "", line=nothing)


def test_what_a_killed_run_built_is_tested_and_taken_by_the_next(fake: FakeAccount, tmp_path: Path) -> None:
    app, trials = configured(tmp_path), Trials()
    killed(fake, app)
    left = {tags.waits_for(tag): digest for tag, digest in fake.ecr.tags["shop"].items() if tags.is_waiting(tag)}
    events, digests = release(fake, app, published(), trials.opened)
    assert not fake.calls["codebuild:StartBuild"]
    assert trials.run_with == ["web"]
    assert digests == {one.image: left[one.tags[0]] for one in recipes(app, CLEAN, nobody)}
    assert names(fake) == {tag for one in recipes(app, CLEAN, nobody) for tag in one.tags} | {"base"}
    assert any("an earlier run built it" in event.line for event in events if isinstance(event, BuildLogged))


def test_what_a_killed_run_built_goes_when_it_does_not_pass_its_tests(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    killed(fake, app)
    with pytest.raises(ImageError, match="the tests of web failed"):
        release(fake, app, published(), Trials(failing=("web",)).opened)
    assert names(fake) == {recipes(app, CLEAN, nobody)[0].tags[0], "base"}


def test_what_was_left_of_other_content_is_left_alone(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    killed(fake, app)
    (of_old_page,) = (tag for tag in names(fake) if tags.waits_for(tag).startswith("web-"))
    write(tmp_path, web__page_py="print('another page')\n")
    release(fake, app, published())
    assert [build.image.partition(":built-")[2][:4] for build in fake.codebuild.builds[3:]] == ["web-"]
    assert {tag for tag in names(fake) if tags.is_waiting(tag)} == {of_old_page}


def test_a_base_that_is_made_anew_is_never_what_was_left(fake: FakeAccount, tmp_path: Path) -> None:
    app = configured(tmp_path)
    killed(fake, app)
    base = recipes(app, CLEAN, nobody)[0]
    left = remote.left_behind(fake.account.ecr, REPOSITORY)
    builder(fake, left=left).build(base, f"{REPOSITORY}:{base.tags[0]}", base="", line=nothing, use_cache=False)
    assert len(fake.codebuild.builds) == 4
