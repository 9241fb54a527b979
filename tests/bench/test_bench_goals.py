"""Goals of capacity and accuracy are judged by what was measured."""

from collections import Counter

from bench import accuracy, capacity
from bench.accuracy import Errors, Healthy

FIGURES = {"opened": 9000.0, "ramp": 2.0, "cpu_share": 0.05, "events_per_second": 1800.0}
GOOD = {
    "ours": {**FIGURES, "bytes_per_stream": 2048.0},
    "aiohttp": {**FIGURES, "bytes_per_stream": 10_000.0},
    "httpx": {**FIGURES, "bytes_per_stream": 20_000.0},
}


def missed(ours: dict[str, float]) -> list[str]:
    found = capacity.goals({**GOOD, "ours": {**GOOD["ours"], **ours}})
    return [goal.sentence.partition(":")[0] for goal in found if not goal.met]


def test_good_figures_meet_every_goal_of_capacity() -> None:
    assert missed({}) == []


def test_each_goal_of_capacity_can_be_missed_alone() -> None:
    assert missed({"opened": 8999}) == ["9,000 streams"]
    assert missed({"ramp": 5.0}) == ["opened in under 5 s"]
    assert missed({"bytes_per_stream": 2499}) == []
    assert missed({"bytes_per_stream": 2501}) == [
        "at most a quarter of aiohttp's memory",
        "at most an eighth of httpx's memory",
    ]
    assert missed({"cpu_share": 0.11}) == ["under 10 % of a core at 1,800 events/s"]
    assert missed({"events_per_second": 900}) == ["under 10 % of a core at 1,800 events/s"]


def test_a_symptom_on_a_healthy_stream_misses_the_goal_of_accuracy() -> None:
    errors = [Errors("inside", "arrival", (0.001,), 0.0), Errors("inside", "cut", (0.049,), 0.0)]
    right = Healthy(Counter(slow=1000), ())
    assert [goal.met for goal in accuracy.goals(errors, right)] == [True, True, True]
    alarmed = Healthy(Counter(slow=1000), ("slow: public: bursts",))
    assert [goal.met for goal in accuracy.goals(errors, alarmed)] == [True, True, False]
    few = Healthy(Counter(slow=999), ())
    assert [goal.met for goal in accuracy.goals(errors, few)] == [True, True, False]


def test_late_arrivals_and_cuts_miss_the_goals_of_accuracy() -> None:
    errors = [Errors("outside", "arrival", (0.0021,), 0.0), Errors("inside", "cut", (0.051,), 0.0)]
    healthy = Healthy(Counter(slow=1000), ())
    assert [goal.met for goal in accuracy.goals(errors, healthy)] == [False, False, True]
