from __future__ import annotations

from deploylib.localaws.extension.answers import Answers


def headers(invocation: str) -> dict[str, str]:
    return {"amz-sdk-invocation-id": invocation}


def test_what_was_answered_is_answered_again() -> None:
    answers = Answers()
    answers.keep(headers("a"), (200, {}, b"made"))
    assert answers.of(headers("a")) == (200, {}, b"made")
    assert answers.of(headers("b")) is None


def test_a_refusal_is_thought_over() -> None:
    answers = Answers()
    answers.keep(headers("a"), (400, {}, b"too many requests"))
    assert answers.of(headers("a")) is None


def test_who_does_not_say_which_call_it_is_has_made_another() -> None:
    answers = Answers()
    answers.keep({}, (200, {}, b"made"))
    assert answers.of({}) is None


def test_the_oldest_are_forgotten() -> None:
    answers = Answers(kept=2)
    for name in "abc":
        answers.keep(headers(name), (200, {}, name.encode()))
    assert [bool(answers.of(headers(name))) for name in "abc"] == [False, True, True]
