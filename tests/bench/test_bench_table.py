from __future__ import annotations

from bench.commands import COMMANDS
from bench.contenders import CONTENDERS
from bench.document import Series, Setting, document
from bench.table import Entry, goals, table

SSH = Entry("ssh", "plain ssh", (0.5, 0.7, 0.6))
PING = Entry("ping", "the ping", (1.0, 1.5, 9.0))
OURS = Entry("playbook", "our playbook", (11.5, 10.5, 10.0), window=8.0, ours=True)
PYINFRA = Entry("pyinfra", "pyinfra", (2.6, 2.5, 2.4))
NAIVE = Entry("naive", "25 tasks", (10.0, 10.0, 40.0))
ENTRIES = (SSH, PING, OURS, PYINFRA, NAIVE)


def test_a_row_shows_the_median_and_both_ratios() -> None:
    assert "| plain ssh | 0.60 | 0.50 to 0.70 |  | 0.40 | 0.06 |" in table(ENTRIES)


def test_one_stalled_round_does_not_move_the_seconds() -> None:
    assert "| the ping | 1.50 | 1.00 to 9.00 |  | 1.00 | 0.15 |" in table(ENTRIES)


def test_the_window_is_taken_off_and_stands_beside() -> None:
    assert "| **our playbook** | 2.50 | 2.00 to 3.50 | 8 s | 1.67 | 0.25 |" in table(ENTRIES)


def test_every_row_has_as_many_cells_as_the_head() -> None:
    assert len({line.count("|") for line in table(ENTRIES)}) == 1


def test_a_ratio_to_nobody_is_a_dash() -> None:
    assert table((SSH,))[-1] == "| plain ssh | 0.60 | 0.50 to 0.70 |  | - | - |"


def test_goals_that_are_just_reached_are_met() -> None:
    equal = Entry("playbook", "our playbook", (11.0,), window=8.0, ours=True)
    rival = Entry("pyinfra", "pyinfra", (3.0,))
    assert [goal.met for goal in goals((PING, equal, rival))] == [True, True]


def test_the_slowest_way_of_ours_decides() -> None:
    slow = Entry("cli", "our command", (12.0,), window=8.0, ours=True)
    pings, rivals = goals((*ENTRIES, slow))
    assert not pings.met
    assert pings.sentence == "at most 2 times the ping: our command takes 2.67 times"
    assert not rivals.met
    assert rivals.sentence == "no slower than pyinfra: our command takes 1.60 times its time"


def test_the_page_says_plainly_that_a_goal_is_not_met() -> None:
    slow = Entry("cli", "our command", (12.0,), window=8.0, ours=True)
    setting = Setting("2025-11-23", 0.1, ("2 cores",))
    met = document(setting, [Series(1, 3, ENTRIES)])
    missed = document(setting, [Series(10, 3, (*ENTRIES, slow))])
    assert "- Goal met: at most 2 times the ping" in met
    assert "not met" not in met
    assert "- Goal **not met**: at most 2 times the ping" in missed


def test_the_page_says_when_where_and_on_how_many_hosts() -> None:
    setting = Setting("2025-11-23", 0.1, ("2 cores",))
    page = document(setting, [Series(1, 5, ENTRIES), Series(10, 3, ENTRIES)])
    assert "- 2 cores\n- 2025-11-23; load average before the first round 0.10" in page
    assert "## One host, median of 5" in page
    assert "## 10 hosts, median of 3" in page
    assert "5 for 1 host, 3 for 10 hosts" in page


def test_there_are_25_commands_and_none_that_ansible_would_template() -> None:
    assert len(set(COMMANDS)) == 25
    assert not [command for command in COMMANDS if "{" in command]


def test_whoever_is_compared_with_takes_part_on_ten_hosts() -> None:
    taking_part = {one.id for one in CONTENDERS if one.most_hosts >= 10}
    assert {"ssh", "ping", "playbook", "pyinfra", "naive"} <= taking_part
