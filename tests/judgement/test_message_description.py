"""How a message is described: what can be used is taken, what cannot is refused in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ssemedic.endpoint import EndpointError, Message, endpoint_of, message_of
from ssemedic.probe.request import Request
from ssemedic.probe.sending import message_request


def test_a_path_is_enough() -> None:
    assert message_of({"path": "/api/messages"}) == Message("/api/messages")


def test_a_subject_takes_the_place_of_a_path() -> None:
    message = message_of({"subject": "chat.2", "body": {"data": ["{marker}"]}, "event": "chat"})
    assert (message.path, message.subject, message.event) == ("", "chat.2", "chat")


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ([], "must be an object"),
        ({}, "a path that starts with /"),
        ({"path": "api"}, "a path that starts with /"),
        ({"path": "/a", "subject": "b", "body": {"x": "{marker}"}}, "must have one of them"),
        ({"subject": "chat.*", "body": {"x": "{marker}"}}, "no * or >"),
        ({"subject": "a b", "body": {"x": "{marker}"}}, "no space"),
        ({"subject": "a\r\nPUB b 0", "body": {"x": "{marker}"}}, "no space"),
        ({"subject": "chat.2", "body": {"x": "y"}}, "what must come back"),
        ({"path": "/a", "headers": {"X-Api-Key": "s3cr3t"}}, "would carry a secret"),
        ({"path": "/a", "method": "DELETE"}, "must be POST, PUT, PATCH or GET"),
        ({"path": "/a", "bdoy": {}}, "'bdoy' is not known"),
    ],
)
def test_what_cannot_be_sent_is_refused(described: Any, said: str) -> None:
    with pytest.raises(EndpointError) as refused:
        message_of(described)
    assert said.strip("'").split("'")[0] in str(refused.value).replace("message.", "")
    assert "s3cr3t" not in str(refused.value)


def test_the_consent_is_true_or_false_and_nothing_else() -> None:
    endpoint, _ = endpoint_of({"url": "https://a.example/e", "canary": True})
    assert endpoint.canary
    with pytest.raises(EndpointError, match="must be true or false"):
        endpoint_of({"url": "https://a.example/e", "canary": "yes"})


def test_the_marker_stands_in_the_body_and_the_token_in_a_header_alone() -> None:
    stream = Request(hop="nginx", url="https://a.example/events?x=1", token="t0k3n-t0k3n")
    sent = message_request(stream, "/api", {"a": ["x {marker}"]}, marker="m-1")
    assert sent.body == b'{"a": ["x m-1"]}'
    assert sent.target == "/api"
    assert ("Authorization", "Bearer t0k3n-t0k3n") in sent.wire_headers()
