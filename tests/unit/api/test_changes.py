"""Which answer to `/v1/changes` is asked for."""

from __future__ import annotations

import pytest

from api.changes import wants_stream


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        ("application/json, text/event-stream;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
    ],
)
def test_a_stream_is_for_who_names_it(accept: str, *, stream: bool) -> None:
    """As a browser's EventSource does; whoever takes anything gets a page."""
    assert wants_stream(accept) is stream
