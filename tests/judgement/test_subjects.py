"""Which subscriptions hear which subjects, by the rules of NATS and Redis."""

from __future__ import annotations

import pytest

from ssemedic.clues.subjects import difference, nats_matches, nearest, redis_matches


@pytest.mark.parametrize(
    ("pattern", "subject", "heard"),
    [
        ("chat.2", "chat.2", True),
        ("chat.*", "chat.2", True),
        ("chat.*", "chat.2.message", False),
        ("chat.>", "chat.2.message", True),
        ("chat.>", "chat", False),
        ("*.realtime.>", "fechatter.realtime.chat.2", True),
        ("fechatter.notifications.*", "fechatter.realtime.chat.2", False),
        ("chat.*.x", "chat.2.x", True),
        (">", "anything.at.all", True),
        ("Chat.2", "chat.2", False),
        ("a.>.b", "a.x.b", False),
    ],
)
def test_a_nats_subscription_hears_what_its_tokens_say(
    pattern: str, subject: str, heard: bool
) -> None:
    assert nats_matches(pattern, subject) is heard
    assert bool(difference(pattern, subject)) is not heard


@pytest.mark.parametrize(
    ("pattern", "channel", "heard"),
    [
        ("h?llo", "hello", True),
        ("h?llo", "heello", False),
        ("h*llo", "heeeello", True),
        ("h[ae]llo", "hallo", True),
        ("h[ae]llo", "hillo", False),
        ("h[^e]llo", "hello", False),
        ("h[a-b]llo", "hbllo", True),
        ("chat:*", "chat:2:x", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("a.c", "abc", False),
        ("[", "[", True),
    ],
)
def test_a_redis_pattern_is_a_glob(pattern: str, channel: str, heard: bool) -> None:
    assert redis_matches(pattern, channel) is heard


def test_the_difference_names_the_part() -> None:
    assert difference("fechatter.notifications.*", "fechatter.realtime.chat.2") == (
        "part 2 is notifications, the subject has realtime"
    )
    assert difference("chat.*", "chat.2.message") == "* is one part; message comes after it"
    assert difference("chat:2", "chat.2") == "it separates its parts by :, NATS by a dot"


def test_the_nearest_subscription_shares_the_most_parts() -> None:
    assert nearest("a.b.c", ["x.y", "a.z", "a.b.d"]) == "a.b.d"
    assert nearest("a.b.c", []) == ""
