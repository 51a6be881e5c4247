"""Pages of the desk without servers behind them: what each may have to show, full and empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy.desk.models.frame import ErrorPage, Frame, SignInPage
from deploy.desk.models.operations import AuditPage, OperationsPage
from tests.browser.samples.events import (
    EVENT_PAGE,
    EVENTS,
    NO_EVENTS,
    NONE_LIKE_THAT,
    UNKNOWN_EVENT,
)
from tests.browser.samples.letters import (
    BUSY_PLAN,
    EDIT,
    GONE_LETTER,
    LETTER,
    LETTERS,
    NO_LETTER_MATCHES,
    NO_LETTERS,
    NO_PLAN,
    PLAN,
    PURGE,
    REFUSED_EDIT,
    REVEALED,
)
from tests.browser.samples.made_up import NOW, OPERATOR
from tests.browser.samples.operations import BROKEN, FINISHED, RUNNING, operation
from tests.browser.samples.pipeline import PIPELINE, QUIET, RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.desk.models.frame import Section


class Sample(NamedTuple):
    """A page and what it shows."""

    template: str
    section: Section
    page: Any


def frame_of(sample: Sample) -> Frame:
    """Return what is around a page; nobody is signed in where somebody signs in."""
    return Frame(
        section=sample.section,
        operator=None if sample.template == "sign_in.html" else OPERATOR,
        form_token="t" * 43,
        now=NOW,
        can_sign_out=True,
    )


ERROR: Final = ErrorPage(
    status=503,
    title="The database does not answer",
    words="The desk needs PostgreSQL for this page. Is it up, and DATABASE_URL right?",
    request_id="req_01JD7K0Q",
    retry_url="/letters",
)

SAMPLES: Final[Mapping[str, Sample]] = {
    "pipeline": Sample("pipeline.html", "pipeline", PIPELINE),
    "pipeline-quiet": Sample("pipeline.html", "pipeline", QUIET),
    "release": Sample("release.html", "pipeline", RELEASE),
    "events": Sample("events.html", "events", EVENTS),
    "events-empty": Sample("events.html", "events", NO_EVENTS),
    "events-none": Sample("events.html", "events", NONE_LIKE_THAT),
    "event": Sample("event.html", "events", EVENT_PAGE),
    "event-unknown": Sample("event.html", "events", UNKNOWN_EVENT),
    "letters": Sample("letters.html", "letters", LETTERS),
    "letters-empty": Sample("letters.html", "letters", NO_LETTERS),
    "letters-none": Sample("letters.html", "letters", NO_LETTER_MATCHES),
    "letter": Sample("letter.html", "letters", LETTER),
    "letter-revealed": Sample("letter.html", "letters", REVEALED),
    "letter-gone": Sample("letter.html", "letters", GONE_LETTER),
    "edit": Sample("edit.html", "letters", EDIT),
    "edit-refused": Sample("edit.html", "letters", REFUSED_EDIT),
    "plan": Sample("plan.html", "letters", PLAN),
    "plan-purge": Sample("plan.html", "letters", PURGE),
    "plan-busy": Sample("plan.html", "letters", BUSY_PLAN),
    "plan-nothing": Sample("plan.html", "letters", NO_PLAN),
    "operations": Sample(
        "operations.html",
        "operations",
        OperationsPage(
            unfinished=tuple(map(operation, (0, 1))),
            finished=tuple(map(operation, range(2, 6))),
        ),
    ),
    "operations-empty": Sample(
        "operations.html", "operations", OperationsPage(unfinished=(), finished=())
    ),
    "operation": Sample("operation.html", "operations", RUNNING),
    "operation-broken": Sample("operation.html", "operations", BROKEN),
    "operation-finished": Sample("operation.html", "operations", FINISHED),
    "audit": Sample(
        "audit.html",
        "audit",
        AuditPage(
            rows=tuple(map(operation, range(6))), older_url="/audit?cursor=1", newest_url="/audit"
        ),
    ),
    "audit-empty": Sample("audit.html", "audit", AuditPage(rows=(), older_url="", newest_url="")),
    "sign-in": Sample(
        "sign_in.html",
        "",
        SignInPage(problem="That token is not valid any more.", code="", back="/"),
    ),
    "sign-in-code": Sample("sign_in.html", "", SignInPage(problem="", code="c" * 43, back="/")),
    "error": Sample("error.html", "", ERROR),
}
"""Name -> a page, in a state that it can be in."""
