"""The verifier: right signatures pass, everything else has one verdict, nothing raises."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.verify import TOLERANCE_S, Verdict, build_webhooks, verify
from tests.factories import SECRET, make_body, sign

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = make_body("user.created")
WEBHOOKS = build_webhooks([SECRET])


def _verdict(body: bytes, headers: dict[str, str], **over: str) -> Verdict:
    return verify(body, headers | over, webhooks=WEBHOOKS, now_s=time.time())


def test_a_right_signature_passes() -> None:
    """What Svix signs with our secret is let in."""
    assert _verdict(BODY, sign(BODY)) is Verdict.OK


def test_every_secret_is_tried() -> None:
    """During a rotation each of several secrets lets its own signatures in."""
    webhooks = build_webhooks([OTHER_SECRET, SECRET])

    for secret in (SECRET, OTHER_SECRET):
        headers = sign(BODY, secret=secret)
        assert verify(BODY, headers, webhooks=webhooks, now_s=time.time()) is Verdict.OK


def test_one_right_signature_among_several_passes() -> None:
    """Svix signs with old and new key while both are valid, and with kinds we do not know."""
    headers = sign(BODY)
    several = f"v1a,abcd v1,AAAA {headers['svix-signature']}"

    assert _verdict(BODY, headers, **{"svix-signature": several}) is Verdict.OK


@pytest.mark.parametrize("name", ["svix-id", "svix-timestamp", "svix-signature"])
def test_a_missing_header_is_named_so(name: str) -> None:
    """Absent and empty headers are missing ones."""
    headers = sign(BODY)

    assert _verdict(BODY, headers, **{name: ""}) is Verdict.MISSING
    del headers[name]
    assert _verdict(BODY, headers) is Verdict.MISSING


@pytest.mark.parametrize(
    "signature",
    ["garbage", "v1,a,b", "v1,A", "v1,AAAA  v1,AAAA", "v1,é", " v1,AAAA", "v1,AAAA\udcff"],
)
def test_what_crashes_the_library_is_malformed(signature: str) -> None:
    """Signatures that make svix raise something undocumented are a verdict here."""
    headers = sign(BODY)

    assert _verdict(BODY, headers, **{"svix-signature": signature}) is Verdict.MALFORMED


@pytest.mark.parametrize("timestamp", ["nan", "inf", "-1", "1e9", "12.5", "x", "9" * 30, "١٢٣"])
def test_a_timestamp_that_is_no_number_is_malformed(timestamp: str) -> None:
    """Svix sends whole seconds in ASCII digits."""
    headers = sign(BODY)

    assert _verdict(BODY, headers, **{"svix-timestamp": timestamp}) is Verdict.MALFORMED


@pytest.mark.parametrize("offset_s", [-TOLERANCE_S - 2, TOLERANCE_S + 2, 10**9])
def test_a_timestamp_outside_the_window_is_stale(offset_s: int) -> None:
    """Recorded deliveries cannot be played back, nor ones from the future."""
    assert _verdict(BODY, sign(BODY, timestamp_s=time.time() + offset_s)) is Verdict.STALE


def test_a_timestamp_in_milliseconds_is_stale() -> None:
    """A sender that confuses the units is told so, not let in."""
    headers = sign(BODY)
    milliseconds = str(int(time.time() * 1000))[:12]

    assert _verdict(BODY, headers, **{"svix-timestamp": milliseconds}) is Verdict.STALE


def test_a_body_that_is_not_text_is_unreadable() -> None:
    """Svix signs text; bytes that are none cannot be verified."""
    assert _verdict(b"\xff\xfe", sign(BODY)) is Verdict.UNREADABLE


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"Nadia", b"Mallory")])
def test_another_body_is_forged(body: bytes) -> None:
    """One changed byte breaks the signature."""
    assert _verdict(body, sign(BODY)) is Verdict.FORGED


def test_another_secret_is_forged() -> None:
    """A signature by a secret that is not ours is no signature."""
    assert _verdict(BODY, sign(BODY, secret=OTHER_SECRET)) is Verdict.FORGED


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_%%%%", "a", SECRET + "%", SECRET[6:], "whsec_c2hvcnQ="]
)
def test_a_bad_secret_is_refused_at_the_start(secret: str) -> None:
    """Whatever svix raises for a secret that is none is a ValueError, as settings expect."""
    with pytest.raises(ValueError, match="signing secret"):
        build_webhooks([secret])


@given(
    st.binary(max_size=64),
    st.dictionaries(
        st.sampled_from(["svix-id", "svix-timestamp", "svix-signature", "other"]), st.text()
    ),
)
def test_no_input_raises_and_none_gets_in(body: bytes, headers: dict[str, str]) -> None:
    """Any bytes and any headers have a verdict, and it is not OK."""
    assert _verdict(body, headers) is not Verdict.OK


def test_a_hundred_thousand_damaged_deliveries_never_raise_and_never_get_in() -> None:
    """Right deliveries, damaged at random in header and body, are all turned away."""
    chance = random.Random(20261121)  # noqa: S311  # not for secrets: the same inputs each run
    body = b'{"type":"user.created"}'
    good = sign(body)
    pieces = ["v1,", "v1a,", ",", " ", "  ", "=", "A" * 44, "é", "\udc80", "\x00", "%", "v2,QQ=="]
    accepted = 0
    for _ in range(100_000):
        name = chance.choice(["svix-id", "svix-timestamp", "svix-signature"])
        at = chance.randrange(len(good[name]))
        kept = good[name][:at] if chance.random() < 0.5 else good[name]
        damaged = good | {name: kept + "".join(chance.choices(pieces, k=chance.randrange(1, 4)))}
        # A damaged signature header can still hold the right signature: then the body is not its.
        added = chance.randbytes(chance.randrange(int(name == "svix-signature"), 40))
        accepted += _verdict(body + added, damaged) is Verdict.OK

    assert accepted == 0


@pytest.mark.parametrize(
    ("pattern", "verdict"),
    [
        ("{right} garbage", Verdict.OK),
        ("garbage {right}", Verdict.MALFORMED),
        ("v1,AAAA {right}", Verdict.OK),
        ("v2{right}", Verdict.FORGED),
        ("{right},", Verdict.MALFORMED),
    ],
)
def test_the_shortcut_changes_no_verdict(pattern: str, verdict: Verdict) -> None:
    """A first signature that is right is enough, as for the library; all else it decides."""
    headers = sign(BODY)
    signatures = pattern.format(right=headers["svix-signature"])

    assert _verdict(BODY, headers, **{"svix-signature": signatures}) is verdict
