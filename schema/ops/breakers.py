"""Circuit breakers: who is known to be away is not asked for a moment, then by one caller alone.

The states and their order are purgatory's (closed, opened, half-opened); that half open lets one
call through and not all that wait, and that a call can end without telling anything, is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from purgatory.domain.model import CLOSED, HALF_OPENED, Context, OpenedState

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

log = structlog.get_logger(__name__)

THRESHOLD: Final = 5
"""Consecutive failures after which nobody is asked any more, unless told otherwise."""


class BreakerOpenError(Exception):
    """The call was not made: those before it failed a moment ago."""


class Breaker:
    """Stands before calls to one dependency."""

    def __init__(
        self,
        name: str,
        *,
        open_s: float,
        judge: Callable[[Exception], bool | None],
        gauge: Gauge,
        threshold: int = THRESHOLD,
    ) -> None:
        """`judge` says whether an exception means that the dependency is away.

        False: it answered, if not as we like; None: the call tells nothing about it.
        """
        self._name = name
        self._judge = judge
        self._gauge = gauge.labels(name)
        self._context = Context(name, threshold, open_s)
        self._shown = self._context.state
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, all of them or all but one."""
        return self._context.state != CLOSED

    def guard(self) -> _Call:
        """Make a call. Raises BreakerOpenError at once when it must not be made."""
        return _Call(self)

    def end(self, error: BaseException | None, *, probing: bool) -> None:
        """Note how a call ended."""
        if error is None:
            self._context.handle_end_request()
        elif isinstance(error, Exception):
            self._learn(error)
        if probing:
            self._probing = False
        self._show()

    def enter(self) -> bool:
        """Begin a call; tell whether it is the one that finds out. Raises BreakerOpenError."""
        if self._context.state == CLOSED:
            return False
        try:
            self._context.handle_new_request()
        except OpenedState as refusal:
            # One exception object serves every refusal; its traceback would grow with each.
            refusal.__traceback__ = None
            raise BreakerOpenError(self._name) from None
        if self._context.state != HALF_OPENED:
            return False
        if self._probing:
            raise BreakerOpenError(self._name)
        self._probing = True
        return True

    def _learn(self, error: Exception) -> None:
        away = self._judge(error)
        if away:
            self._context.handle_exception(error)
        elif away is False:
            self._context.handle_end_request()

    def _show(self) -> None:
        self._context.messages.clear()
        if self._shown != self._context.state:
            self._shown = self._context.state
            self._gauge.set(self.is_open)
            log.warning("breaker_changed", breaker=self._name, state=self._shown)


class _Call:
    """One call; a class, for a generator would take three times as long."""

    __slots__ = ("_breaker", "_probing")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._probing = False

    def __enter__(self) -> None:
        self._probing = self._breaker.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        self._breaker.end(error, probing=self._probing)
