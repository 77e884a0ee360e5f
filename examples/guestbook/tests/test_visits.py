from __future__ import annotations

import redis
from guestbook.web.visits import KEY, Visits, visits_from


class MemoryCounter:
    """A Redis that holds one number, and can be away."""

    def __init__(self, *, away: bool = False) -> None:
        self.values: dict[str, int] = {}
        self.away = away

    def incr(self, name: str) -> int:
        self.values[name] = int(self.get(name) or 0) + 1
        return self.values[name]

    def get(self, name: str) -> bytes | None:
        if self.away:
            raise redis.ConnectionError("refused")
        return str(self.values[name]).encode() if name in self.values else None


def test_each_visit_counts_and_a_look_does_not() -> None:
    visits = Visits(MemoryCounter())
    assert (visits.so_far(), visits.add(), visits.add(), visits.so_far()) == (0, 1, 2, 2)


def test_all_processes_count_under_one_name() -> None:
    counter = MemoryCounter()
    Visits(counter).add()
    Visits(counter).add()
    assert counter.values == {KEY: 2}


def test_a_redis_that_is_away_costs_the_number_and_nothing_else() -> None:
    visits = Visits(MemoryCounter(away=True))
    assert (visits.add(), visits.so_far()) == (None, None)


def test_without_an_address_nobody_counts() -> None:
    assert visits_from({}) is None
    assert visits_from({"REDIS_URL": ""}) is None


def test_a_redis_that_does_not_answer_is_waited_for_only_briefly() -> None:
    visits = visits_from({"REDIS_URL": "redis://127.0.0.1:1/0"})
    assert visits
    assert visits.add() is None
