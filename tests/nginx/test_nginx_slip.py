"""A slip in server_name is told from a name of its own."""

from __future__ import annotations

import pytest

from ssemedic.nginx.slip import is_slip

HOST = "chat.example.org"


@pytest.mark.parametrize(
    "written",
    [
        "chat.exmaple.org",  # two letters in the wrong order
        "caht.example.org",
        "chat.exampl.org",  # one too few, one too many
        "chat.exammple.org",
        "www.chat.example.org",
        "https://chat.example.org",
        "http://chat.example.org:8080/",
        "chat.example.org:8080",
        "Chat.Exmaple.org",
    ],
)
def test_it_can_only_have_been_meant_as_the_host(written: str) -> None:
    assert is_slip(written, HOST)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        (HOST, HOST),
        ("chats.example.org", HOST),
        ("chap.example.org", HOST),
        ("example.org", HOST),
        ("api.example.org", "app.example.org"),
        ("web2.example.org", "web1.example.org"),
        ("chat.example.com", HOST),
        ("services.example.org", "service.example.org"),
        ("app12.example.org", "app21.example.org"),
        ("10.0.0.12", "10.0.0.21"),
        ("", HOST),
        ("_", HOST),
    ],
)
def test_it_may_be_a_name_of_its_own(written: str, host: str) -> None:
    assert not is_slip(written, host)
