"""Find what our processes tell of themselves: their /metrics, as far as the desk shows them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.samples import Sample

    Samples = Mapping[str, list[Sample]]

PATIENCE: Final = aiohttp.ClientTimeout(total=1.5)
MOST_BYTES: Final = 4 * 1024 * 1024
"""No process of ours has more to tell."""


async def read_targets(targets: Mapping[str, str]) -> dict[str, Samples | None]:
    """Return name -> samples by their name; None for what does not answer."""
    if not targets:
        return {}
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:
        found = await asyncio.gather(*(_read(session, url) for url in targets.values()))
    return dict(zip(targets, found, strict=True))


async def _read(session: aiohttp.ClientSession, url: str) -> Samples | None:
    try:
        async with session.get(f"{url.rstrip('/')}/metrics") as response:
            response.raise_for_status()
            body = await response.content.readexactly(MOST_BYTES)
    except asyncio.IncompleteReadError as whole:
        body = whole.partial
    except (aiohttp.ClientError, TimeoutError):
        return None
    samples: dict[str, list[Sample]] = {}
    try:
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(sample)
    except ValueError:
        return None
    return samples
