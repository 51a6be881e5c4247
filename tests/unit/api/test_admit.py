"""The reasons for which callers are not let in are all counted."""

from __future__ import annotations

from typing import get_args

from schema.http.faults import FAULTS
from schema.http.tokens.claims import Reason
from schema.ops.metrics.api import SIGN_INS_REFUSED


def test_every_reason_has_its_series() -> None:
    """What a 401 says, and the codes of those whom the token let in."""
    reasons = set(get_args(Reason))

    assert reasons <= set(SIGN_INS_REFUSED)
    assert {each.upper() for each in set(SIGN_INS_REFUSED) - reasons} <= FAULTS.keys()
