"""The room against a real container engine and the emulator's registry, with images of a few bytes."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import io
import os
import socket
import subprocess
import tarfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from deploylib import aws, doctor, process
from deploylib.config import ImageTest, RegistryLogin, RoleImage
from deploylib.errors import ImageError
from deploylib.events import BuildLogged, Built, Event
from deploylib.images import builders, building, docker, gate, planning, registry, supplies, tags, testing
from deploylib.images.recipe import recipes
from deploylib.images.remote import Remote
from deploylib.images.supplies import Supplies, Wishes
from deploylib.images.upstream import nobody
from deploylib.toolchain import engine as engines
from deploylib.toolchain.os_image import OsImage
from tests.images.builder import finish
from tests.images.elsewhere import PLACE, Elsewhere
from tests.images.kitchen import CLEAN, environment, shop, write

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.config import Environment
    from deploylib.images.docker import Docker
    from deploylib.images.recipe import Recipe

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".tools/emulator/bin/python"
READY_SECONDS = 60
GONE_SECONDS = 30
PROFILE = """\
[profile e2e]
region = ap-northeast-1
aws_access_key_id = test
aws_secret_access_key = test
endpoint_url = http://localhost:{port}
"""


@dataclass(kw_only=True)
class Registry:
    """An emulator of our own, and what the tests ask of its registry and of the engine."""

    home: Path
    port: int
    account: Account
    program: str
    environ: Mapping[str, str]
    emulator: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def repository(self) -> str:
        return f"localhost:{self.port}/shop"

    def start(self) -> None:
        """Start an emulator, wait until it answers, and make the repository."""
        assert PYTHON.exists(), "the emulator is not installed: make setup"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHON"))}
        mine = {"LOCALAWS_PORT": str(self.port), "LOCALAWS_INSTANCE": f"images-{self.port}", "PYTHONPATH": str(ROOT)}
        mine |= {"LOCALAWS_ACCOUNT_ID": "111111111111", "LOCALAWS_REGION": "ap-northeast-1", "HOME": str(self.home)}
        self.emulator = subprocess.Popen(
            [str(PYTHON), "-m", "deploylib.localaws.extension"],
            cwd=self.home,
            env={**kept, **mine},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self.answers, READY_SECONDS, "the emulator does not answer")
        self.account.ecr.create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/_ministack/health", timeout=2):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        if self.emulator:
            self.emulator.kill()
            self.emulator.wait()

    def run(self, *words: str) -> str:
        return process.run((self.program, *words), env=self.environ).stdout

    def files_in(self, reference: str) -> dict[str, str]:
        """Return what each file of an image holds; the engine's own (/dev, /etc …) are left out."""
        container = self.run("create", reference, "nothing").strip()
        try:
            exported = subprocess.run(
                [self.program, "export", container], env={**os.environ, **self.environ}, check=True, capture_output=True
            ).stdout
        finally:
            self.run("rm", container)
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            files = (one for one in archive if one.isfile() and not one.name.startswith(("dev/", "etc/", ".dockerenv")))
            return {one.name: archive.extractfile(one).read().decode() for one in files}  # type: ignore[union-attr]  # files have content

    def tags(self) -> dict[str, str]:
        """Return every tag that the repository holds, with its digest."""
        details = self.account.ecr.describe_images(repositoryName="shop")["imageDetails"]
        return {tag: one["imageDigest"] for one in details for tag in one.get("imageTags", [])}

    def forget(self, repository: str = "") -> None:
        """Remove every image of the repository from the engine."""
        repository = repository or self.repository
        shown = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
        found = self.run("images", "--digests", "--format", shown, repository).split()
        references = [one for one in found if "<none>" not in one]
        process.run(
            (self.program, "rmi", "--force", *references), env=self.environ, ok=(0, 1)
        )  # the last name takes others along
        assert self.run("images", "--quiet", repository) == ""

    def start_release(
        self,
        app: Environment,
        checkout: Checkout = CLEAN,
        connect: building.Connect = docker.connect,
        open_tests: gate.OpenTests = gate.without_tests,
    ) -> Generator[Event, None, dict[str, str]]:
        menu = recipes(app, checkout, nobody)
        present = registry.present(self.account.ecr, self.repository, planning.tags(menu))
        plans = planning.plan_images(menu, present)
        return building.carry_out(
            self.account, self.repository, menu, plans, clock=time, connect=connect, open_tests=open_tests
        )

    def release(self, app: Environment, checkout: Checkout = CLEAN) -> tuple[set[str], dict[str, str]]:
        """Bring *app* into the registry; return which images had to be built, and the digests."""
        events, digests = finish(self.start_release(app, checkout))
        return {one.image for one in events if isinstance(one, Built)}, digests


def eventually(true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    home = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (home / "aws").write_text(PROFILE.format(port=port))
    somewhere = shop(home / "app")
    here = replace(somewhere, root=home, account=replace(somewhere.account, profile="e2e", config_file="aws"))
    engine = engines.find()
    made = Registry(home=home, port=port, account=aws.signed_in(here), program=engine.program, environ=engine.environ)
    made.start()
    try:
        yield made
    finally:
        made.kill()
        made.forget()


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    """An application whose base is made of a file that no other test has."""
    made = shop(tmp_path)
    write(tmp_path, Dockerfile_base="FROM scratch\nCOPY requirements.txt /\n", requirements_txt=str(tmp_path))
    return made


def slow(root: Path, *names: str, first: str = "echo on") -> Environment:
    """Return an application of roles that take five minutes to build, after they have done *first*."""
    for name in names:
        command = f"{first}; for i in $(seq 3000); do sleep 0.1; done"
        write(root, **{f"{name}_docker": f"FROM {OsImage().name}\nRUN : {root} {name}; {command}\n"})
    return environment(root, base=None, roles={name: RoleImage(dockerfile=f"{name}.docker") for name in names})


def command_lines() -> str:
    """Return the argument list of every program on this machine, those in containers too."""
    found = []
    for process_folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            found.append((process_folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


def no_container_builds(hub: Registry, root: Path) -> None:
    def gone() -> bool:
        containers = hub.run("ps", "--all", "--no-trunc", "--format", "{{.Command}}")
        return str(root) not in containers + command_lines()

    eventually(gone, GONE_SECONDS, "a container of a build is left")


def test_the_first_release_builds_everything_and_the_second_nothing(hub: Registry, app: Environment) -> None:
    built, digests = hub.release(app)
    assert built == {"base", "web", "job"}
    menu = {one.image: one for one in recipes(app, CLEAN, nobody)}
    assert {tag: hub.tags()[tag] for one in menu.values() for tag in one.tags} == {
        tag: digests[image] for image, one in menu.items() for tag in one.tags
    }
    assert hub.release(app) == (set(), digests)


def test_what_is_in_the_registry_is_what_was_built_with_its_labels(hub: Registry, app: Environment) -> None:
    _, digests = hub.release(app)
    menu = {one.image: one for one in recipes(app, CLEAN, nobody)}
    hub.forget()
    name = f"{hub.repository}@{digests['web']}"
    hub.run("pull", "--quiet", name)
    labels = hub.run("inspect", "--format", "{{json .Config.Labels}}", name)
    assert menu["web"].fingerprint in labels
    assert CLEAN.commit in labels
    assert hub.files_in(name).keys() == {"requirements.txt", "srv/page.py"}


def test_one_changed_role_is_built_alone_and_its_base_is_fetched_when_the_engine_lost_it(
    hub: Registry, app: Environment
) -> None:
    _, before = hub.release(app)
    hub.forget()
    write(app.root, web__page_py="print('another page')\n")
    built, after = hub.release(app, replace(CLEAN, commit="f" * 40))
    assert built == {"web"}
    assert (after["base"], after["job"]) == (before["base"], before["job"])
    assert after["web"] != before["web"]
    assert hub.tags()["job-ffffffffffff"] == before["job"]


def test_a_failing_build_shows_its_last_lines_and_stops_the_other(hub: Registry, app: Environment) -> None:
    root = app.root
    both = slow(root, "slow", "bad")
    write(root, bad_docker=f"FROM {OsImage().name}\nRUN : {root}; echo said this; echo and that >&2; exit 3\n")
    with pytest.raises(ImageError) as caught:
        hub.release(both)
    assert str(caught.value).startswith("image bad was not built (exit code ")
    said = str(caught.value).splitlines()
    assert any(line.endswith("said this") for line in said)
    assert any(line.endswith("and that") for line in said)
    assert not {tag for tag in hub.tags() if tag.startswith(("slow", "bad"))}
    no_container_builds(hub, root)


def test_ctrl_c_leaves_no_program_no_container_and_no_tag(hub: Registry, app: Environment) -> None:
    happening = hub.start_release(slow(app.root, "one", "two"))
    on: set[str] = set()
    while len(on) < 2:
        event = next(happening)
        if isinstance(event, BuildLogged) and event.line.split()[-1] == "on" and "echo" not in event.line:
            on.add(event.image)
    with pytest.raises(KeyboardInterrupt):
        happening.throw(KeyboardInterrupt())
    assert not {tag for tag in hub.tags() if tag.startswith(("one", "two"))}
    no_container_builds(hub, app.root)


def test_other_content_for_a_used_tag_is_refused_in_so_many_words(hub: Registry, app: Environment) -> None:
    _, digests = hub.release(app)
    web = {one.image: one for one in recipes(app, CLEAN, nobody)}["web"]
    reference = f"{hub.repository}:{web.tags[0]}"
    hub.run("tag", f"{hub.repository}@{digests['job']}", reference)
    with pytest.raises(docker.TagTakenError, match="the tag is another image's already"):
        docker.connect(Supplies()).push("web", reference)


FILES = ("r.txt", "a/x.txt", "a/y.pyc", "b/keep.pyc", "b/drop.pyc", "b/with space", "b/c/d.txt", "b/c/e.txt", "c/f")
CORPUS = {
    "all": ("COPY . /context", ""),
    "left-out": ("COPY . /context", "a\n*.txt\n**/*.pyc\n!b/keep.pyc\n"),
    "brought-back": ("COPY . /context", "*\n!b/c\n!a\nb/c/d.txt\n!**/keep.*\n"),
    "anchored": ("COPY . /context", "/a/\nc\nr.txt/\n./b/../b/c\n"),
    "patterns": ("COPY a*/[x-z].txt b/?/*.txt ./r.* /context/", "b/c/d.txt\n"),
    "folders": ("COPY a b/c /context/", "**/d.*\n"),
    "links": ("COPY to-x to-a /context/", ""),
    "words": ('COPY ["b/with space", "r.txt", "/context/"]', ""),
}


def of_corpus(root: Path, case: str) -> Recipe:
    """Return an image made of some of the `FILES`, each of which holds its own name."""
    instruction, ignore = CORPUS[case]
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    (root / "to-x").symlink_to("r.txt")
    (root / "to-a").symlink_to("a")
    (root / ".dockerignore").write_text(f"{ignore}.dockerignore\nDockerfile\n")
    (root / "Dockerfile").write_text(f"FROM scratch\n{instruction}\n")
    alone = environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
    return recipes(alone, CLEAN, nobody)[0]


def counted(only: Recipe) -> set[str]:
    return {one.path for one in only.ingredients.files if one.kind != "link"}


@pytest.mark.parametrize("case", CORPUS)
def test_what_the_engine_copies_is_what_the_fingerprint_counts(hub: Registry, tmp_path: Path, case: str) -> None:
    only, reference = of_corpus(tmp_path, case), f"{hub.repository}:corpus-{case}"
    docker.connect(Supplies()).build(only, reference, base="", line=lambda _: None)
    assert set(hub.files_in(reference).values()) == counted(only)


def test_a_registry_that_dies_in_the_midst_is_an_image_error_and_the_next_run_completes(
    hub: Registry, app: Environment
) -> None:
    @dataclass(frozen=True)
    class Dying:
        """Builds as docker does; the registry dies before the first push."""

        docker: Docker

        def build(
            self, recipe: Recipe, reference: str, *, base: str, line: Callable[[str], None], use_cache: bool = True
        ) -> None:
            self.docker.build(recipe, reference, base=base, line=line, use_cache=use_cache)

        def push(self, image: str, reference: str) -> str:
            hub.kill()
            return self.docker.push(image, reference)

        def stop(self) -> None:
            self.docker.stop()

    with pytest.raises(ImageError, match="image base was not pushed") as caught:
        finish(hub.start_release(app, connect=lambda login: Dying(docker.connect(login))))
    assert caught.value.hint == "does the registry answer? Then repeat the command"
    hub.start()
    built, digests = hub.release(app)
    assert built == {"base", "web", "job"}
    assert hub.release(app) == (set(), digests)


SECRET = "a-token-that-is-in-no-layer-4711"
WITH_SECRET = """\
FROM {image}
RUN --mount=type=secret,id=token cat /run/secrets/token; wc -c < /run/secrets/token > /length; : {root}; sleep 1
COPY Dockerfile /
"""


def test_a_secret_reaches_the_build_and_stays_nowhere(hub: Registry, tmp_path: Path) -> None:
    hub.account.ssm.put_parameter(Name="/shop/token", Value=SECRET, Type="SecureString")
    write(tmp_path, Dockerfile=WITH_SECRET.format(image=OsImage().name, root=tmp_path))
    role = RoleImage(dockerfile="Dockerfile", secrets={"token": "/shop/token"})
    only = recipes(environment(tmp_path, base=None, roles={"app": role}), CLEAN, nobody)[0]
    reference, lines, running = f"{hub.repository}:secret", list[str](), list[str]()

    def follow(line: str) -> None:
        lines.append(line)
        running.append(command_lines())

    with supplies.supplied(hub.account, hub.repository, [only], Wishes()) as given:
        docker.connect(given).build(only, reference, base="", line=follow)
    assert [line for line in lines if "***" in line]
    assert any(str(tmp_path) in one for one in running)
    assert hub.run("run", "--rm", reference, "cat", "/length").strip() == str(len(SECRET))
    kept = (hub.run("history", "--no-trunc", reference), hub.run("inspect", reference))
    assert SECRET not in "\n".join((*lines, *running, *kept))
    hub.run("save", "--output", str(tmp_path / "image.tar"), reference)
    assert SECRET.encode() not in unpacked(tmp_path / "image.tar")


def unpacked(image: Path) -> bytes:
    """Return what is in the saved *image*: its documents, and its layers without compression."""
    with tarfile.open(image) as archive:
        files = [archive.extractfile(one).read() for one in archive if one.isfile()]  # type: ignore[union-attr]
    return b"".join(gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in files)


def test_a_parent_is_built_from_at_its_digest_whatever_its_tag_names_by_now(hub: Registry, tmp_path: Path) -> None:
    engine, upstream = docker.connect(Supplies()), f"{hub.repository}-upstream"
    hub.account.ecr.create_repository(repositoryName="shop-upstream")

    def build(text: str, reference: str, **parents: str) -> None:
        write(tmp_path, Dockerfile=text)
        alone = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
        only = replace(recipes(alone, CLEAN, nobody)[0], parents=tuple(parents.items()))
        engine.build(only, reference, base="", line=lambda _: None)

    def pushed(name: str) -> str:
        build(f"FROM scratch\nCOPY Dockerfile /{name}\n", tag)
        return engine.push("app", tag)

    tag = f"{upstream}:1"
    first, second = pushed("first"), pushed("second")
    assert first != second
    mine = f"{hub.repository}:pinned"
    for digest, name in ((first, "first"), (second, "second"), (first, "first")):
        build(f"ARG PARENT={tag}\nFROM $PARENT\nCOPY Dockerfile /mine\n", mine, **{tag: digest})
        assert hub.files_in(mine).keys() == {name, "mine"}
        hub.run("rmi", mine)
    hub.forget(upstream)


class Guarded(BaseHTTPRequestHandler):
    """A registry that wants a password and then has nothing; `let_in` are the log-ins that it was shown."""

    let_in: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        shown = self.headers.get("Authorization", "")
        self.send_response(404 if shown else 401)
        self.send_header("Content-Length", "0")
        if shown:
            self.let_in.append(shown)
        else:
            self.send_header("WWW-Authenticate", 'Basic realm="guarded"')
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815  # as the server calls it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


@pytest.mark.parametrize("pinned", [False, True])
def test_a_parent_is_fetched_with_the_log_in_of_its_registry(hub: Registry, tmp_path: Path, *, pinned: bool) -> None:
    hub.account.ssm.put_parameter(Name="/shop/robot", Value="pass:word", Type="SecureString", Overwrite=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"localhost:{server.server_port}"
        write(tmp_path, Dockerfile=f"FROM {host}/private:1\n")
        app = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
        digests = {f"{host}/private:1": f"sha256:{'a1' * 32}"} if pinned else {}
        (only,) = recipes(app, CLEAN, lambda _: digests)
        wished = Wishes(registries={host: RegistryLogin(username="robot", password_parameter="/shop/robot")})
        Guarded.let_in.clear()
        with (
            supplies.supplied(hub.account, hub.repository, [only], wished) as given,
            pytest.raises(ImageError, match="image app was not built"),
        ):
            docker.connect(given).build(only, f"{hub.repository}:guarded", base="", line=lambda _: None)
        server.shutdown()
    assert set(Guarded.let_in) == {f"Basic {base64.b64encode(b'robot:pass:word').decode()}"}


def test_the_doctor_finds_this_machine_in_order() -> None:
    rows = doctor.examine(doctor.Place(root=ROOT))
    assert not [row for row in rows if row.state == "MISSING"]
    assert {row.what for row in rows if row.state == "OK"} >= {"git", "container engine", "builder", "Terraform"}


# Built elsewhere: what CodeBuild is given, run with the engine of this machine


def elsewhere(hub: Registry) -> Elsewhere:
    return Elsewhere(hub.account, hub.environ, docker=hub.program)


def remote(hub: Registry, there: Elsewhere, given: Supplies = Supplies(), **settings: Any) -> Remote:  # noqa: B008  # frozen
    return Remote(
        account=there.account,
        place=PLACE,
        repository=hub.repository,
        mended="inv infra.apply --env stg",
        clock=there.clock,
        given=given,
        built={},
        **settings,
    )


def test_what_codebuild_is_given_builds_the_same_images(hub: Registry, app: Environment) -> None:
    there = elsewhere(hub)
    (app.context / "web/page.py").chmod(0o755)
    write(app.root, web__more_py="1\n")
    (app.context / "web/link.py").symlink_to("more.py")
    base, web, _ = recipes(app, CLEAN, nobody)
    made, reference = remote(hub, there), f"{hub.repository}:{base.tags[0]}"
    made.build(base, reference, base="", line=lambda _: None)
    made.build(web, f"{hub.repository}:{web.tags[0]}", base=reference, line=lambda _: None)
    assert web.tags[0] not in hub.tags(), "\n".join(there.said)
    digest = made.push("web", f"{hub.repository}:{web.tags[0]}")
    made.close()
    assert hub.tags()[web.tags[0]] == digest
    assert not [tag for tag in hub.tags() if tags.is_waiting(tag)]
    hub.forget()
    name = f"{hub.repository}@{digest}"
    hub.run("pull", "--quiet", name)
    assert web.fingerprint in hub.run("inspect", "--format", "{{json .Config.Labels}}", name)
    assert hub.files_in(name).keys() == {"requirements.txt", "srv/page.py", "srv/more.py"}


def test_codebuild_builds_on_a_parent_at_its_digest(hub: Registry, tmp_path: Path) -> None:
    there, tag = elsewhere(hub), f"{hub.repository}-elsewhere:1"
    hub.account.ecr.create_repository(repositoryName="shop-elsewhere")
    engine, digests = docker.connect(Supplies()), []
    role = {"app": RoleImage(dockerfile="Dockerfile")}
    for name in ("first", "second"):
        write(tmp_path, Dockerfile=f"FROM scratch\nCOPY Dockerfile /{name}\n")
        only = recipes(environment(tmp_path, base=None, roles=role), CLEAN, nobody)[0]
        engine.build(only, tag, base="", line=lambda _: None)
        digests.append(engine.push("app", tag))
    write(tmp_path, Dockerfile=f"FROM {tag}\nCOPY Dockerfile /mine\n")
    mine = recipes(environment(tmp_path, base=None, roles=role), CLEAN, lambda _: {tag: digests[0]})[0]
    made, reference = remote(hub, there), f"{hub.repository}:{mine.tags[0]}"
    made.build(mine, reference, base="", line=lambda _: None)
    digest = made.push("app", reference)
    made.close()
    assert hub.files_in(f"{hub.repository}@{digest}").keys() == {"first", "mine"}
    hub.forget(f"{hub.repository}-elsewhere")


@pytest.mark.parametrize("case", CORPUS)
def test_what_codebuild_copies_is_what_the_fingerprint_counts(hub: Registry, tmp_path: Path, case: str) -> None:
    only = of_corpus(tmp_path, case)
    there, reference = remote(hub, elsewhere(hub)), f"{hub.repository}:elsewhere-{case}"
    there.build(only, reference, base="", line=lambda _: None)
    digest = there.push("app", reference)
    assert set(hub.files_in(f"{hub.repository}@{digest}").values()) == counted(only)


def test_a_release_that_codebuild_builds_is_reused_by_one_that_this_machine_builds(
    hub: Registry, app: Environment
) -> None:
    there = elsewhere(hub)
    given = replace(app, images=replace(app.images, engine="codebuild"))
    with builders.opened(there.account, given, there.contract(hub.repository), clock=there.clock) as way:
        _, digests = finish(hub.start_release(given, connect=way.connect))
    assert set(digests) == {"base", "web", "job"}
    assert len(there.codebuild.builds) == 3
    assert hub.release(app) == (set(), digests)
    assert not [tag for tag in hub.tags() if tags.is_waiting(tag)]


@pytest.mark.parametrize("passes", [True, False])
def test_what_codebuild_built_is_pulled_and_tested_here(hub: Registry, tmp_path: Path, *, passes: bool) -> None:
    there = elsewhere(hub)
    write(tmp_path, Dockerfile=f"FROM {OsImage().name}\nCOPY page.py /\n", page_py=f"# {tmp_path}\n")
    test = ImageTest(commands=(("grep", str(tmp_path) if passes else "nothing like it", "/page.py"),))
    app = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile", test=test)})
    given = replace(app, images=replace(app.images, engine="codebuild"))
    contract, content = there.contract(hub.repository), recipes(app, CLEAN, nobody)[0].tags[0]
    tests = functools.partial(testing.opened, testing.suite(given, contract))
    verdict = contextlib.nullcontext() if passes else pytest.raises(ImageError, match="app")
    with builders.opened(there.account, given, contract, open_tests=tests, clock=there.clock) as way, verdict:
        finish(hub.start_release(given, connect=way.connect, open_tests=way.open_tests))
    assert (content in hub.tags()) is passes
    assert not [tag for tag in hub.tags() if tags.is_waiting(tag)]
    assert hub.run("ps", "--all", "--quiet", "--filter", f"ancestor={hub.repository}:{content}") == ""


def test_a_secret_reaches_the_build_elsewhere_and_stays_nowhere(hub: Registry, tmp_path: Path) -> None:
    there, values = elsewhere(hub), {"/shop/elsewhere": SECRET}
    hub.account.ssm.put_parameter(Name="/shop/elsewhere", Value=SECRET, Type="SecureString", Overwrite=True)
    write(tmp_path, Dockerfile=WITH_SECRET.format(image=OsImage().name, root=tmp_path))
    role = RoleImage(dockerfile="Dockerfile", secrets={"token": "/shop/elsewhere"})
    only = recipes(environment(tmp_path, base=None, roles={"app": role}), CLEAN, nobody)[0]
    made, reference, lines = remote(hub, there, Supplies(secrets=values)), f"{hub.repository}:elsewhere", list[str]()
    made.build(only, reference, base="", line=lines.append)
    digest = made.push("app", reference)
    made.close()
    name = f"{hub.repository}@{digest}"
    assert hub.run("run", "--rm", name, "cat", "/length").strip() == str(len(SECRET))
    assert SECRET not in hub.run("history", "--no-trunc", name) + hub.run("inspect", name)
    assert [line for line in lines if "***" in line]
    assert SECRET not in "\n".join(lines) + str(there.codebuild.builds[0].request)
    assert not [packed for packed in there.s3.objects[PLACE.bucket].values() if SECRET.encode() in packed]


def test_a_build_elsewhere_shows_itself_to_the_registry_of_its_parent(hub: Registry, tmp_path: Path) -> None:
    there = elsewhere(hub)
    hub.account.ssm.put_parameter(Name="/shop/robot", Value="pass:word", Type="SecureString", Overwrite=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"localhost:{server.server_port}"
        write(tmp_path, Dockerfile=f"FROM {host}/private:1\n")
        alone = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
        (only,) = recipes(alone, CLEAN, lambda _: {f"{host}/private:1": f"sha256:{'a1' * 32}"})
        robot = {host: RegistryLogin(username="robot", password_parameter="/shop/robot")}
        Guarded.let_in.clear()
        with pytest.raises(ImageError, match=r"image app was not built: CodeBuild's build .* is FAILED"):
            remote(hub, there, registries=robot).build(
                only, f"{hub.repository}:{only.tags[0]}", base="", line=lambda _: None
            )
        server.shutdown()
    assert set(Guarded.let_in) == {f"Basic {base64.b64encode(b'robot:pass:word').decode()}"}
    assert "pass:word" not in "\n".join(there.said)


def test_a_build_that_fails_elsewhere_pushes_nothing(hub: Registry, tmp_path: Path) -> None:
    there = elsewhere(hub)
    write(tmp_path, Dockerfile=f"FROM {OsImage().name}\nLABEL trial={tmp_path}\nRUN echo said this; exit 3\n")
    alone = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
    (only,) = recipes(alone, CLEAN, nobody)
    before = hub.tags()
    try:
        with pytest.raises(ImageError, match="is FAILED") as caught:
            remote(hub, there).build(only, f"{hub.repository}:{only.tags[0]}", base="", line=lambda _: None)
    finally:  # a machine of CodeBuild's is gone after its build, with the step that failed
        for left in hub.run("ps", "--all", "--quiet", f"--filter=label=trial={tmp_path}").split():
            hub.run("rm", "--force", left)
    assert any(line.endswith("said this") for line in str(caught.value).splitlines())
    assert hub.tags() == before
