"""Goals of reading nginx's configuration are judged by what was measured."""

from __future__ import annotations

from bench import nginx_reading
from bench.nginx_config import configuration
from bench.nginx_reading import Read
from ssemedic.endpoint import Endpoint
from ssemedic.lint import judge
from ssemedic.nginx import tree_of

MIB = 2**20
FOUND = {
    "parse": Read("ours", (0.2, 0.3, 9.0), (50 * MIB,) * 3),
    "all": Read("ours, all", (0.9, 0.9, 0.9), (90 * MIB,) * 3),
    "crossplane": Read("theirs", (3.0, 3.1, 2.9), (100 * MIB,) * 3),
    "analyze": Read("analyze", (2.0, 2.0, 2.0), (99 * MIB,) * 3),
}


def test_the_median_counts_and_the_ratio_is_to_crossplane_of_the_same_run() -> None:
    lines = nginx_reading.table(FOUND)
    assert "| ours | 0.30 | 0.20 to 9.00 | 10.0 times as long | 50 MiB |" in lines
    assert "| theirs | 3.00 | 2.90 to 3.10 |  | 100 MiB |" in lines


def test_each_goal_can_be_missed_alone() -> None:
    def met(**changed: float) -> list[bool]:
        found = dict(FOUND)
        for name, seconds in changed.items():
            found[name] = Read(name, (seconds,), (MIB,))
        return [goal.met for goal in nginx_reading.goals(found)]

    assert met() == [True, True]
    assert met(parse=0.6) == [True, True]
    assert met(parse=0.61) == [False, True]
    assert met(analyze=5.1) == [True, False]


def test_the_streams_of_the_large_configuration_are_healthy() -> None:
    tree = tree_of({"/n": configuration(3).encode()}, "/n")
    (judged,) = judge(tree, [Endpoint("https://site1.example.org/events")], "1.22.1")
    assert (judged.problems, judged.unknown) == ((), "")
