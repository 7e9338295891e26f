"""The choice of threads and slices follows the measured times."""

from __future__ import annotations

import pytest

from chainrule.runtime.pace import Pace


def drive(pace: Pace, alone: float, together: float, most: int, seconds: float) -> list[int]:
    """Run slices with these times per step for ``seconds``; the threads chosen."""
    chosen, elapsed = [], 0.0
    while elapsed < seconds:
        threads, steps = pace.threads(most), pace.steps(10**9)
        time = steps * (alone if threads == 1 else together)
        pace.record(threads, steps, time)
        elapsed += time
        chosen.append(threads)
    return chosen


def test_the_faster_way_wins() -> None:
    assert drive(Pace(), 1e-3, 0.6e-3, 2, 0.48)[8:14] == [2] * 6
    assert drive(Pace(), 1e-3, 1.2e-3, 2, 0.48)[6] == 1


def test_a_long_step_is_not_tried_alone_twice() -> None:
    assert drive(Pace(), 0.5, 0.3, 2, 2.0) == [1, 2, 2, 2, 2, 2]


def test_a_tiny_step_never_wakes_anybody() -> None:
    pace = Pace()
    assert set(drive(pace, 10e-6, 1e-6, 2, 0.2)) == {1}
    assert pace.alone


@pytest.mark.parametrize(("step", "alone"), [(90e-6, True), (110e-6, False)])
def test_calls_below_100_us_stay_on_the_caller(step: float, alone: bool) -> None:
    pace = Pace()
    drive(pace, step, step / 2, 2, 0.2)
    assert pace.alone == alone
    assert pace.threads(2) == 2  # a loop may use them


def test_a_neighbour_that_goes_is_noticed() -> None:
    pace = Pace()
    assert drive(pace, 1e-3, 2e-3, 2, 0.3)[-1] == 1
    assert drive(pace, 1e-3, 0.5e-3, 2, 1.0)[-1] == 2


def test_a_neighbour_that_comes_is_noticed() -> None:
    pace = Pace()
    assert drive(pace, 1e-3, 0.6e-3, 2, 0.3)[-1] == 2
    assert drive(pace, 1e-3, 2e-3, 2, 1.0)[-1] == 1


@pytest.mark.parametrize("together", [1.2e-3, 2e-3, 20e-3])
def test_who_works_alone_looks_around_often_and_briefly(together: float) -> None:
    pace, spent = Pace(), {1: 0.0, 2: 0.0}
    last, longest = 0.0, 0.0
    while sum(spent.values()) < 20.0:
        threads, steps = pace.threads(2), pace.steps(10**9)
        time = steps * (1e-3 if threads == 1 else together)
        pace.record(threads, steps, time)
        spent[threads] += time
        if threads == 2:
            now = sum(spent.values())
            last, longest = now, max(longest, now - last)
    assert spent[2] < 0.03 * spent[1]
    assert longest < 1.2


def test_while_all_are_as_fast_as_before_nobody_is_tried_alone() -> None:
    pace = Pace()
    assert drive(pace, 0.03, 0.016, 2, 0.2)[:4] == [1, 1, 1, 2]
    assert set(drive(pace, 0.03, 0.018, 2, 5.0)) == {2}


def test_short_calls_are_tried_for_3_ms() -> None:
    pace, chosen = Pace(), []
    for k in range(20):
        chosen.append(pace.threads(2))
        late = 1.0 if k > 12 else 2.0  # a neighbour is busy for a while
        pace.record(chosen[-1], 1, 0.4e-3 if chosen[-1] == 1 else 0.3e-3 * late)
    assert chosen == [1] * 8 + [2] * 12


def test_waking_the_others_is_not_held_against_them() -> None:
    pace, chosen = Pace(), []
    for _ in range(40):
        chosen.append(pace.threads(2))
        woken = chosen[-1] == 2 and chosen[-2] == 1
        pace.record(chosen[-1], 1, 0.4e-3 if chosen[-1] == 1 else 0.25e-3 + 0.6e-3 * woken)
    assert chosen == [1] * 8 + [2] * 32


def test_a_long_step_that_began_beside_a_busy_neighbour_is_tried_again() -> None:
    pace, elapsed = Pace(), 0.0
    while elapsed < 4.0:
        threads = pace.threads(2)
        time = 0.07 if threads == 1 else 0.04 if elapsed > 1.0 else 0.13
        pace.record(threads, 1, time)
        elapsed += time
    assert threads == 2


def test_another_number_of_threads_is_tried_anew() -> None:
    pace = Pace()
    drive(pace, 1e-3, 0.6e-3, 2, 0.3)
    assert pace.threads(4) == 1
    assert pace.threads(1) == 1


def test_slices_take_about_50_ms() -> None:
    pace = Pace()
    assert pace.steps(1000) == 1  # nothing is known
    for _ in range(3):
        pace.record(1, 1, 1e-3)
    assert pace.steps(1000) == 50
    assert pace.steps(20) == 20
    pace.record(1, 1, 3.0)
    assert pace.steps(1000) == 1


def test_an_estimate_sizes_the_first_slice() -> None:
    assert Pace(flops=20_000_000).steps(1000) == 50
    assert Pace(traffic_bytes=50_000_000).steps(1000) == 5
