"""Samples, told about other people."""

from __future__ import annotations

import json
from random import Random

import pytest

from deploy.errors import OperatorError
from deploy.samples import invent_person, sample_names, tell, write_event
from ingest.route import route
from schema.kafka.clerk import read_envelope, read_subject

NOW_MS = 1_790_000_000_000
PERSON = invent_person(Random(1))  # noqa: S311 - invented people are no secrets


@pytest.mark.parametrize("name", sample_names())
def test_a_sample_is_told_at_another_time(name: str) -> None:
    """The event's time is the one asked for, and its type stays."""
    told = tell(name, PERSON, at_ms=NOW_MS)

    assert told["timestamp"] == NOW_MS
    assert name.startswith(told["type"])


@pytest.mark.parametrize("name", sample_names())
def test_nobody_of_the_sample_is_left(name: str) -> None:
    """Ids, names and addresses of the recorded people are replaced, also in nested objects."""
    body = write_event(tell(name, PERSON, at_ms=NOW_MS))

    text = body.decode().replace("ins_37Zq", "")
    assert not [word for word in ("_37Zq", "Nadia", "Quill", "Tomas", "Verne") if word in text]


@pytest.mark.parametrize("name", ["user.created", "user.updated", "user.deleted", "email.created"])
def test_an_event_about_somebody_goes_by_their_id(name: str) -> None:
    """What is told about a person is keyed by that person's id."""
    envelope = read_envelope(write_event(tell(name, PERSON, at_ms=NOW_MS)))

    assert route(envelope.type, read_subject(envelope)).key == PERSON.id


def test_the_same_id_becomes_the_same_other() -> None:
    """The primary address points into the list of addresses, as it did."""
    data = tell("user.updated", PERSON, at_ms=NOW_MS)["data"]

    assert data["primary_email_address_id"] in [each["id"] for each in data["email_addresses"]]


def test_times_keep_their_distances() -> None:
    """The update came 284 400 s after the creation in the sample, and does so anywhere."""
    data = tell("user.updated", PERSON, at_ms=NOW_MS)["data"]

    assert data["updated_at"] - data["created_at"] == 284_400_000


def test_words_are_not_replaced_twice() -> None:
    """A replacement that is itself a word to replace is left alone."""
    told = tell(
        "organization.created",
        PERSON,
        at_ms=NOW_MS,
        words={"Northwind Robotics": "northwind-robotics", "northwind-robotics": "second"},
    )

    assert (told["data"]["name"], told["data"]["slug"]) == ("northwind-robotics", "second")


def test_names_beyond_ascii_are_sent_as_they_are() -> None:
    """Clerk sends UTF-8, no escapes."""
    body = write_event({"name": "Łukasz 美咲"})

    assert body == '{"name":"Łukasz 美咲"}'.encode()
    assert json.loads(body) == {"name": "Łukasz 美咲"}


def test_an_unknown_sample_is_refused_in_words() -> None:
    """The message lists what there is."""
    with pytest.raises(
        OperatorError, match=r"no sample of user\.renamed; there is .*user\.created"
    ):
        tell("user.renamed", PERSON, at_ms=NOW_MS)
