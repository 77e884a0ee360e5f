"""Who wants to know of a release is told: Slack, Teams, mail, a webhook … whatever Apprise has an address for.

`telling` stands between a release and whoever follows it. It hands on every event and every answer, and tells on the
way. Nothing that an endpoint does, or does not do, changes the release; nothing secret of its address is shown.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from typing import TYPE_CHECKING, TypeVar

from deploylib import events
from deploylib.errors import AwsError
from deploylib.notify.messages import Kind, Message, Story, Subject
from deploylib.notify.sending import Channel, Post, Send, send

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment, Notification
    from deploylib.plan import Plan

__all__ = ["Channel", "Kind", "Message", "Send", "Subject", "channels", "telling", "told"]

MOST_PARAMETERS_PER_CALL = 10

T = TypeVar("T")


def told(
    happening: Generator[events.Event, str | None, T],
    environment: Environment,
    account: Account,
    plan: Plan,
    *,
    by: str = "",
    clock: Clock = time,
    variables: Mapping[str, str] = os.environ,
    send: Send = send,
) -> Generator[events.Event, str | None, T]:
    """Hand on *happening*, which carries out *plan*, and tell those of it whom *environment* names; see `telling`."""
    subject = Subject(
        app=environment.app.name,
        environment=environment.name,
        commit=plan.commit,
        action=plan.action,
        by=by,
        services=tuple(one.key for one in plan.moving),
        restores=plan.restores,
    )
    found = channels(environment, account, variables=variables)
    return (yield from telling(happening, found, subject, clock=clock, send=send))


def telling(
    happening: Generator[events.Event, str | None, T],
    channels: Sequence[Channel],
    subject: Subject,
    *,
    clock: Clock = time,
    send: Send = send,
) -> Generator[events.Event, str | None, T]:
    """Hand on what *happening* yields, returns and raises, and what is sent or thrown into it; tell *channels* of it.

    An endpoint that did not take a message is said once (`Noticed`). The end of the release waits for the endpoints,
    `sending.BUDGET_SECONDS` at most for all of them.
    """
    if not channels:
        return (yield from happening)
    post, story = Post(channels, clock=clock, send=send), Story(subject)
    try:
        return (yield from _driven(happening, lambda event: _around(event, post, story)))
    except BaseException as error:
        post.take(story.ended(error))
        post.wait()
        if not isinstance(error, GeneratorExit):
            yield from post.complaints(late=True)
        raise
    finally:
        post.close()


def _around(event: events.Event, post: Post, story: Story) -> Iterator[events.Event]:
    """Tell of *event*, and yield it after what there is to say of the endpoints; what completes a release is last."""
    for message in story.after(event):
        post.take(message)
    if isinstance(event, events.Completed):
        post.wait()
    yield from post.complaints(late=isinstance(event, events.Completed))
    yield event


def _driven(
    happening: Generator[events.Event, str | None, T], around: Callable[[events.Event], Iterator[events.Event]]
) -> Generator[events.Event, str | None, T]:
    """Run *happening*, yield what *around* makes of each event, and send the answer to the last of that back."""
    step: Callable[[], events.Event] = functools.partial(next, happening)
    with contextlib.closing(happening):
        while True:
            try:
                event = step()
            except StopIteration as end:
                value: T = end.value
                return value
            answer = None
            try:
                for one in around(event):
                    answer = yield one
            except GeneratorExit:
                raise
            except BaseException as thrown:  # noqa: BLE001  # it is raised again where it is known what to do
                step = functools.partial(happening.throw, thrown)
            else:
                step = functools.partial(happening.send, answer)


def channels(
    environment: Environment, account: Account, *, variables: Mapping[str, str] = os.environ
) -> tuple[Channel, ...]:
    """Return the endpoints of `[[notifications]]`; one whose address cannot be read says so in its `problem`.

    One call for ten parameters, none where every address is in a variable.
    """
    values, refused = _parameters(account, [one.parameter for one in environment.notifications])
    return tuple(_channel(one, values, variables, refused) for one in environment.notifications)


def _parameters(account: Account, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return the values of the parameters that are there, and why the others cannot be read."""
    found, wanted = dict[str, str](), sorted(set(filter(None, names)))
    for start in range(0, len(wanted), MOST_PARAMETERS_PER_CALL):
        try:
            asked = wanted[start : start + MOST_PARAMETERS_PER_CALL]
            answer = account.ssm.get_parameters(Names=asked, WithDecryption=True)
        except AwsError as error:
            return found, str(error)
        for one in answer["Parameters"]:
            found |= dict.fromkeys((one["Name"] + one.get("Selector", ""), one.get("ARN", "")), one["Value"])
    return found, ""


def _channel(one: Notification, values: Mapping[str, str], variables: Mapping[str, str], refused: str) -> Channel:
    name = one.parameter or f"${one.variable}"
    url = values.get(one.parameter, "") if one.parameter else variables.get(one.variable, "")
    missing = f"the variable {one.variable} is not set" if one.variable else refused or "there is no such parameter"
    return Channel(
        name=name, url=url.strip(), kinds=one.events, mention=one.mention, problem="" if url.strip() else missing
    )
