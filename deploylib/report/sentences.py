"""Events as plain lines, for logs: one line for each change, none twice."""

from __future__ import annotations

import shlex
from functools import singledispatch

from deploylib import events
from deploylib.report.console import elapsed, size
from deploylib.report.wording import SHORT_DIGEST, ended, held, serving, words
from deploylib.taskdef import short


@singledispatch
def sentence(event: events.Event) -> str:
    """Return what happened in one sentence; nothing for what is told otherwise (a look at the services)."""
    return "" if isinstance(event, events.Progressed) else str(event)


@sentence.register
def _began(event: events.Began) -> str:
    return f"release {event.release} begins"


@sentence.register
def _lock_waited(event: events.LockWaited) -> str:
    return f"lock: {held(event)}; we wait {elapsed(event.left_seconds)} more at most"


@sentence.register
def _locked(event: events.Locked) -> str:
    return f"lock: ours{f' after {elapsed(event.waited_seconds)}' if event.waited_seconds else ''}"


@sentence.register
def _question(event: events.Question) -> str:
    return f"interrupted; under way: {', '.join(event.services) or 'nothing'}"


@sentence.register
def _hook_started(event: events.HookStarted) -> str:
    return f"hook {event.hook}: {shlex.join(event.command)}"


@sentence.register
def _hook_logged(event: events.HookLogged) -> str:
    return f"hook {event.hook} | {event.line}"


@sentence.register
def _hook_ended(event: events.HookEnded) -> str:
    return f"hook {event.hook}: {ended(event)} after {elapsed(event.seconds)}"


@sentence.register
def _build_started(event: events.BuildStarted) -> str:
    return f"image {event.image}: building, {event.reason}"


@sentence.register
def _build_logged(event: events.BuildLogged) -> str:
    return f"image {event.image} | {event.line}" if event.line.strip() else ""


@sentence.register
def _built(event: events.Built) -> str:
    return f"image {event.image}: built in {elapsed(event.seconds)}"


@sentence.register
def _image_test_started(event: events.ImageTestStarted) -> str:
    beside = f" beside {', '.join(event.needs)}" if event.needs else ""
    return f"image {event.image}: testing{beside}"


@sentence.register
def _image_test_logged(event: events.ImageTestLogged) -> str:
    return f"image {event.image} | {event.line}" if event.line.strip() else ""


@sentence.register
def _image_tested(event: events.ImageTested) -> str:
    return f"image {event.image}: passed its tests in {elapsed(event.seconds)}"


@sentence.register
def _promotion_started(event: events.PromotionStarted) -> str:
    return f"image {event.image}: copying from {event.source}"


@sentence.register
def _promoted(event: events.Promoted) -> str:
    what = f"{event.layers} blobs, {size(event.size)}" if event.layers else "nothing had to travel"
    return f"image {event.image}: copied in {elapsed(event.seconds)}, {what}, {event.digest[:SHORT_DIGEST]}"


@sentence.register
def _push_started(event: events.PushStarted) -> str:
    return f"image {event.image}: pushing"


@sentence.register
def _pushed(event: events.Pushed) -> str:
    return f"image {event.image}: pushed in {elapsed(event.seconds)}, {event.digest[:SHORT_DIGEST]}"


@sentence.register
def _tagged(event: events.Tagged) -> str:
    return f"image {event.image}: {'now also' if event.moved else 'tagged'} {event.tag}"


@sentence.register
def _registered(event: events.Registered) -> str:
    return f"{event.service}: registered {short(event.revision)}"


@sentence.register
def _migration_started(event: events.MigrationStarted) -> str:
    state = "still running, left by an earlier deploy" if event.attached else "started"
    return f"migration: {state}: {shlex.join(event.command)} (task {event.task})"


@sentence.register
def _migration_logged(event: events.MigrationLogged) -> str:
    return f"migration | {event.line}"


@sentence.register
def _migrated(event: events.Migrated) -> str:
    return f"migration: done in {elapsed(event.seconds)}"


@sentence.register
def _migration_skipped(event: events.MigrationSkipped) -> str:
    return f"migration: not run again, release {event.release} ran it: {event.reason}"


@sentence.register
def _gate_opened(event: events.GateOpened) -> str:
    return f"{event.service}: may move, {' and '.join(event.after)} {'is' if len(event.after) == 1 else 'are'} healthy"


@sentence.register
def _schedule_moved(event: events.ScheduleMoved) -> str:
    return f"schedule {event.task}: starts {short(event.revision)}{' again' if event.back else ' from now on'}"


@sentence.register
def _rollout_started(event: events.RolloutStarted) -> str:
    how = "is rolling out already" if event.attached else "rolling out"
    return f"{event.service}: {how}, {short(event.revision)}, {event.desired} wanted"


@sentence.register
def _drained(event: events.Drained) -> str:
    return f"{event.service}: done in {elapsed(event.seconds)}, no old task is left"


@sentence.register
def _rollout_failed(event: events.RolloutFailed) -> str:
    return f"{event.service}: {event.verdict}"


@sentence.register
def _concluded(event: events.Concluded) -> str:
    return "; ".join((event.verdict, *map(serving, event.services)))


@sentence.register
def _restoring(event: events.Restoring) -> str:
    return f"{event.service}: going back to {short(event.revision)}"


@sentence.register
def _restored(event: events.Restored) -> str:
    return f"{event.service}: serves {short(event.revision)} again"


@sentence.register
def _served(event: events.Served) -> str:
    return f"{event.url} answered {event.status}"


@sentence.register
def _noticed(event: events.Noticed) -> str:
    return event.message


@sentence.register
def _completed(event: events.Completed) -> str:
    calls = f", {event.calls} {'call' if event.calls == 1 else 'calls'} to AWS" if event.calls else ""
    done = "restarted" if event.restarted else "scaled" if event.scaled else "released"
    which = f"release {event.release} completed" if event.release else done
    return f"{which} in {elapsed(event.seconds)}{calls}"


def standing(one: events.Standing) -> str:
    """Return where a service stands in one sentence; nothing when it has arrived, which has its own event."""
    if one.state == "completed" and not one.old and one.running >= one.desired:
        return ""
    parts = (f"{one.running} of {one.desired} new", f"{one.old} old", f"{one.failed} failed" if one.failed else "")
    return f"{one.service}: {words(one)}: {', '.join(part for part in parts if part)}"
