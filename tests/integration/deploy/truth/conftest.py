"""The database that the order of events is proven on, too: one that waits for no disk."""

from tests.integration.workers.order.conftest import quick_pool, tell

__all__ = ["quick_pool", "tell"]
