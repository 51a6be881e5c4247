"""The declaration of topics holds together."""

from __future__ import annotations

from schema.kafka.topics import RETRY_DELAYS, SOURCES, TOPICS, dead_letter_topic, retry_topic


def test_names_are_unique() -> None:
    """No topic is declared twice."""
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_every_source_has_its_retry_and_dead_letter_topics() -> None:
    """What can fail has somewhere to wait and somewhere to be kept."""
    names = {topic.name for topic in TOPICS}
    needed = {dead_letter_topic(s).name for s in SOURCES}
    needed |= {retry_topic(s, delay).name for s in SOURCES for delay in RETRY_DELAYS}

    assert needed <= names


def test_dead_letters_outlive_their_sources() -> None:
    """An operator has longer to look at a dead letter than Kafka keeps the original."""
    for source in SOURCES:
        letter = dead_letter_topic(source)

        assert (letter.retention_days or 0) > (source.retention_days or 0)
        assert letter.value == source.value
