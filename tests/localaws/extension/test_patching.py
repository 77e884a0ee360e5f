from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.localaws.extension import patching
from deploylib.localaws.extension.patching import IncompatibleEmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def module() -> Any:
    made = types.ModuleType("emulator")
    source = "def stop(task, reason): return ('stock', task, reason)\nasync def ask(path): return path\n"
    exec(compile(source, "emulator", "exec"), made.__dict__)  # noqa: S102 - a module like MiniStack's, made here
    made.__dict__["_ACTION_MAP"] = {"StopTask": made.__dict__["stop"]}
    return made


def test_another_release_is_refused_with_both_versions_in_one_sentence() -> None:
    with pytest.raises(IncompatibleEmulatorError, match=r"written for ministack 1\.5\.33, not 1\.6\.0$"):
        patching.require_version("1.6.0")


def test_the_pinned_release_is_accepted() -> None:
    patching.require_version(patching.MINISTACK)


def test_a_replaced_function_is_replaced_in_the_table_of_actions_too(module: Any) -> None:
    @patching.replace(module, "stop(task, reason)")
    def stop(task: str, reason: str) -> str:
        return "ours"

    assert module.stop("t", "r") == "ours"
    assert module._ACTION_MAP["StopTask"]("t", "r") == "ours"


def test_a_wrapper_is_given_the_original(module: Any) -> None:
    @patching.wrap(module, "stop(task, reason)")
    def stop(original: Callable[..., Any], task: str, reason: str) -> Any:
        return ("wrapped", *original(task, reason))

    assert module._ACTION_MAP["StopTask"]("t", "r") == ("wrapped", "stock", "t", "r")


def test_a_wrapper_of_a_coroutine_is_a_coroutine(module: Any) -> None:
    @patching.wrap(module, "ask(path)")
    async def ask(original: Callable[..., Any], path: str) -> Any:
        return await original(path) + "!"

    assert asyncio.iscoroutinefunction(module.ask)
    assert asyncio.run(module.ask("/")) == "/!"


def test_what_is_wrapped_can_be_wrapped_again(module: Any) -> None:
    for _ in range(2):

        @patching.wrap(module, "stop(task, reason)")
        def stop(original: Callable[..., Any], task: str, *rest: str) -> Any:
            return ("wrapped", *original(task, *rest))

        @patching.wrap(module, "ask(path)")
        async def ask(original: Callable[..., Any], *path: str) -> Any:
            return await original(*path) + "!"

    assert module.stop("t", "r") == ("wrapped", "wrapped", "stock", "t", "r")
    assert asyncio.run(module.ask("/")) == "/!!"


def test_an_action_that_the_emulator_does_not_know_gets_an_answer(module: Any) -> None:
    @patching.answer(module, "Abort")
    def abort(data: str) -> str:
        return f"aborted {data}"

    assert module._ACTION_MAP["Abort"]("x") == "aborted x"


def test_an_action_that_the_emulator_has_learnt_is_refused(module: Any) -> None:
    with pytest.raises(IncompatibleEmulatorError, match="has StopTask already"):
        patching.answer(module, "StopTask")


@pytest.mark.parametrize("decorate", [patching.replace, patching.wrap])
def test_another_signature_is_refused_with_the_one_that_was_found(decorate: Any, module: Any) -> None:
    with pytest.raises(IncompatibleEmulatorError, match=r"emulator has stop\(task, reason\) where stop\(task\) was"):
        decorate(module, "stop(task)")


def test_a_missing_function_is_refused_by_its_name(module: Any) -> None:
    with pytest.raises(IncompatibleEmulatorError, match="emulator has no gone"):
        patching.replace(module, "gone(x)")
    with pytest.raises(IncompatibleEmulatorError, match="emulator has no gone, lost"):
        patching.require(module, "gone", "stop", "lost")
