"""What happens while a plan is executed, as values: the console, the JSON lines and the tests read the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `at` is seconds since the command began to execute."""

    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Began(Event):
    """The ledger has the release, under the number *release*; nothing else was written yet."""

    release: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWaited(Event):
    """Somebody else holds the lock of the environment: who, on which machine, why, since when (ISO 8601, UTC).

    Sent again while it goes on; *left_seconds* is how long we go on waiting.
    """

    by: str
    host: str
    reason: str
    since: str
    left_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked(Event):
    """The lock of the environment is ours; *waited_seconds* is how long that took. Nothing was rolled out yet."""

    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Event):
    """A Ctrl-C came while *services* roll out: whoever shows this answers with `send`: wait, detach or rollback.

    Nobody's answer (None, as `next` gives it) means what the environment's `on_interrupt` says.
    """

    services: tuple[str, ...]
    may_ask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HookStarted(Event):
    """An executable of the project is run: *hook* is `before_deploy` and so on."""

    hook: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookLogged(Event):
    """A line that a hook printed."""

    hook: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEnded(Event):
    """A hook ended with *exit_code*; only that of a `before_…` hook counts."""

    hook: str
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted(Event):
    """An image is being built, and why."""

    image: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLogged(Event):
    """A line that the build of *image* printed."""

    image: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Built(Event):
    """An image was built here."""

    image: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTestStarted(Event):
    """An image's tests began; *needs* are the dependency containers beside it."""

    image: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTestLogged(Event):
    """A line that the tests of *image* printed."""

    image: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTested(Event):
    """An image passed its tests."""

    image: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionStarted(Event):
    """An image is being copied from *source*, another environment's repository."""

    image: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(Event):
    """An image, byte for byte, is in this environment's repository; *layers* blobs of *size* bytes had to travel."""

    image: str
    digest: str
    seconds: float
    layers: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStarted(Event):
    """An image that was built, and passed its tests, is being pushed."""

    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed(Event):
    """An image is in the registry, under *digest*."""

    image: str
    digest: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged(Event):
    """An image that the registry has got one more tag, or (*moved*) one that another image had before."""

    image: str
    tag: str
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Event):
    """A revision of *service*'s task definition was registered."""

    service: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStarted(Event):
    """The migration's task was started (or, *attached*, found running from an earlier, interrupted run)."""

    task: str
    revision: str
    command: tuple[str, ...]
    attached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationLogged(Event):
    """A line that the migration printed."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated(Event):
    """The migration ended with exit code 0."""

    task: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSkipped(Event):
    """The migration is not run again: *release*, which did not get to its end, ran it with the same image."""

    release: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOpened(Event):
    """*service* may move now: the first tasks of those *after* which it moves are healthy."""

    service: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleMoved(Event):
    """The scheduled task *task* starts *revision* from now on; *back*: as it did before this release."""

    task: str
    schedule: str
    revision: str
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStarted(Event):
    """*service* was updated, or (*attached*) its deployment was found under way; *desired* tasks are wanted."""

    service: str
    revision: str
    deployment: str
    desired: int
    attached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Event):
    """How far one service is: tasks of our deployment, tasks of older ones, tasks that failed."""

    service: str
    desired: int
    running: int
    pending: int
    failed: int
    old: int
    state: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(Event):
    """One look at every service of the release; sent when something differs from the look before."""

    services: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Event):
    """Our deployment of *service* is complete, and no task of an older revision is anything but STOPPED."""

    service: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedTask:
    """One task that stopped: why, with what exit codes, and the last lines of its log.

    `containers` holds (name, exit code or None, reason, health status) of each container that is worth showing.
    *count* tasks stopped like this one; `stopped_at` is ISO 8601, UTC.
    """

    task: str
    stop_code: str
    reason: str
    containers: tuple[tuple[str, int | None, str, str], ...] = ()
    log: tuple[str, ...] = ()
    count: int = 1
    stopped_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SickTarget:
    """One target of a load balancer that is not healthy: address and port, state, AWS's reason code and its words."""

    target: str
    state: str
    reason: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFailed(Event):
    """*service* did not roll out. `verdict`: `rolled back`, `failed`, `superseded`, `timed out` or `not drained`.

    `messages` are what ECS said last about it; *since* is when its deployment began (ISO 8601, UTC).
    """

    service: str
    verdict: str
    reason: str
    tasks: tuple[StoppedTask, ...] = ()
    targets: tuple[SickTarget, ...] = ()
    alarms: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serves:
    """What *service* serves when a release has failed: *revision*, of release number *release* (0: of none we know).

    `state`: `previous` release, `new` one, `nothing` (zero tasks), or `unclear` where a person has to look.
    """

    service: str
    state: str
    revision: str = ""
    release: int = 0
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded(Event):
    """The release failed; this is what serves now, and the command that goes on from here."""

    verdict: str
    services: tuple[Serves, ...]
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring(Event):
    """*service* is sent back to *revision*, because another service of the release failed (or it failed itself)."""

    service: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Event):
    """*service* serves *revision* again."""

    service: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Event):
    """The release answered at *url*."""

    url: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(Event):
    """Something worth a line that changes nothing."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(Event):
    """Everything that was planned is done; *release* is its number in the ledger. Or it was a restart or a scaling."""

    seconds: float
    calls: int
    url: str = ""
    services: tuple[str, ...] = field(default=())
    release: int = 0
    restarted: bool = False
    scaled: bool = False
