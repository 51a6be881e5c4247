"""Dead letters: find out what died and why, and bring it back or give it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import App, Parameter, validators

from deploy.console.groups import LETTERS, app
from deploy.letters.select import STATES, Selection, read_moment
from deploy.terminal import open_console

dlq = App(name="dlq", help="List, show, replay, edit and purge dead letters.", group=LETTERS)
app.command(dlq)

Flag = Annotated[bool, Parameter(negative=())]
Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Rate = Annotated[float | None, Parameter(validator=validators.Number(gt=0))]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which letters.

    Parameters
    ----------
    reason
        Part of the reason or of the error code, in whatever case.
    error_class
        Such as poison.decode, poison.data, bug.
    type
        Clerk's event type.
    user
        The clerk user id.
    topic
        The dead-letter topic, or the one where the record was first read.
    since
        Died at that time or later: 2026-01-31, 2026-01-31T12:00, or 90m, 12h, 7d ago.
    until
        Died before that time.
    event
        The svix-id.
    """

    reason: str | None = None
    error_class: Annotated[str | None, Parameter(name="--class")] = None
    type: str | None = None
    user: str | None = None
    topic: str | None = None
    since: str | None = None
    until: str | None = None
    event: str | None = None

    def select(self, *states: str, limit: int | None = None) -> Selection:
        """Return the selection of letters in one of these states. Raises OperatorError."""
        return Selection(
            states=states,
            reason=self.reason,
            error_class=self.error_class,
            type=self.type,
            user=self.user,
            topic=self.topic,
            since=read_moment(self.since),
            until=read_moment(self.until),
            event=self.event,
            limit=limit,
        )

    def waiting(self, *, parked: bool, limit: int | None) -> Selection:
        """Return the selection of letters that wait for an operator; of parked ones only by name.

        Raises OperatorError.
        """
        states = ("open", "parked") if self.event else ("parked",) if parked else ("open",)
        return self.select(*states, limit=limit)


ALL: Final = Filters()


@dlq.command(name="list")
def list_letters(
    *,
    filters: Filters = ALL,
    state: str | None = None,
    limit: Positive = 50,
    json: Flag = False,
) -> int:
    """List letters, the newest first; in a pipe, fields between tabs.

    Parameters
    ----------
    state
        open, replaying, replayed, parked, purged, or all; open unless given, with --event all.
    limit
        How many at most.
    json
        A line of JSON for each.
    """
    from deploy.letters.run import run_list

    states = _read_states(state or ("all" if filters.event else "open"))
    selection = filters.select(*states, limit=limit + 1)
    return run_list(selection, limit=limit, as_json=json, console=open_console())


@dlq.command
def stats(*, filters: Filters = ALL, state: str = "open", json: Flag = False) -> int:
    """Count letters by class, by reason, by type and by time.

    Parameters
    ----------
    state
        open, replaying, replayed, parked, purged, or all.
    json
        A line of JSON.
    """
    from deploy.letters.run import run_stats

    return run_stats(filters.select(*_read_states(state)), as_json=json, console=open_console())


@dlq.command
def show(letter: str, *, unmask: Flag = False) -> int:
    """Show a letter: what the index knows, headers and payload.

    Parameters
    ----------
    letter
        Its svix-id, or TOPIC/PARTITION/OFFSET.
    unmask
        Show personal data too. That is not recorded.
    """
    from deploy.letters.show import run_show

    return run_show(letter, unmask=unmask, console=open_console())


@dlq.command
def replay(
    *,
    filters: Filters = ALL,
    parked: Flag = False,
    limit: Positive | None = None,
    rate: Rate = None,
    dry_run: Flag = False,
    yes: Flag = False,
    resume: Flag = False,
) -> int:
    """Send letters back to the topics they come from, the oldest of each user first.

    What arrives meanwhile is not included. Letters that were replayed three times are parked.

    Parameters
    ----------
    parked
        The parked ones, which only this and --event select.
    limit
        How many at most, the oldest.
    rate
        How many each second; as fast as Kafka takes them unless given.
    dry_run
        Only say how many there are.
    yes
        Do not ask, however many there are.
    resume
        Carry on what a crash has interrupted, and nothing else.
    """
    from deploy.errors import OperatorError
    from deploy.letters.run import Wishes, run_replay, run_resume

    wishes = Wishes(dry_run=dry_run, yes=yes, rate=rate)
    if resume:
        if filters != ALL or parked or limit:
            raise OperatorError("--resume goes on with letters that are chosen already.")
        return run_resume(wishes, open_console())
    selection = filters.waiting(parked=parked, limit=limit)
    return run_replay(selection, wishes, console=open_console())


@dlq.command
def edit(
    letter: str,
    *,
    assignments: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    yes: Flag = False,
) -> int:
    """Change the payload of a letter in $EDITOR, look at the difference, and send the copy.

    Parameters
    ----------
    letter
        Its svix-id, or TOPIC/PARTITION/OFFSET.
    assignments
        What to change, PATH=JSON, without an editor; may be given several times.
    yes
        Do not ask.
    """
    from deploy.letters.edit import run_edit

    return run_edit(letter, assignments=assignments, yes=yes, console=open_console())


@dlq.command
def purge(
    *,
    filters: Filters = ALL,
    parked: Flag = False,
    limit: Positive | None = None,
    dry_run: Flag = False,
    yes: Flag = False,
) -> int:
    """Give letters up. Their rows stay, marked; nothing is deleted from Kafka.

    Parameters
    ----------
    parked
        The parked ones, which only this and --event select.
    limit
        How many at most, the oldest.
    dry_run
        Only say how many there are.
    yes
        Do not ask, however many there are.
    """
    from deploy.letters.run import Wishes, run_purge

    selection = filters.waiting(parked=parked, limit=limit)
    return run_purge(selection, Wishes(dry_run=dry_run, yes=yes), console=open_console())


@dlq.command
def audit(*, limit: Positive = 50, json: Flag = False) -> int:
    """List what operators did, the newest first: who, when, to which letters, how far.

    Parameters
    ----------
    limit
        How many at most.
    json
        A line of JSON for each.
    """
    from deploy.letters.run import run_audit

    return run_audit(limit=limit, as_json=json, console=open_console())


@app.command(group=LETTERS)
def trace(event: str, *, json: Flag = False) -> int:
    """Tell what became of one webhook: received, applied or dead, replayed, and where it is.

    The exit code is 1 where nothing is known of it.

    Parameters
    ----------
    event
        The svix-id.
    json
        A line of JSON.
    """
    from deploy.trace import run_trace

    return run_trace(event, as_json=json, console=open_console())


def _read_states(state: str) -> tuple[str, ...]:
    from deploy.errors import OperatorError

    if state == "all":
        return STATES
    if state not in STATES:
        raise OperatorError(f"There is no state {state}: it is one of {', '.join(STATES)}, or all.")
    return (state,)
