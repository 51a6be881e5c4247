"""What went wrong with an installation, read from the log of pip and uv.

Only the standard library: this runs before anything is installed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LAST_LINES = 5
LONGEST_LINE = 160


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One kind of failure."""

    signs: str
    """A regular expression that the log matches."""

    advice: str
    """What is wrong and what to do."""


OFFLINE = Trouble(
    signs=(
        r"Retry\(total=0,.*(NewConnectionError|Timeout|ProxyError|NameResolutionError|Protocol)"
        r"|Max retries exceeded|client error \(Connect\)|dns error|operation timed out"
    ),
    advice=(
        "No package index can be reached. Check the network; behind a proxy set HTTPS_PROXY; with "
        "an index of your own, tell pip: `pip config set global.index-url URL`."
    ),
)

# In the order in which they are looked for: a full disk causes other complaints.
TROUBLES = (
    Trouble(
        signs=r"No space left on device|Disk quota exceeded|os error 28\b",
        advice="The disk is full. Make room and start again.",
    ),
    Trouble(
        signs=r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        advice=(
            "The package index shows a certificate that this machine does not trust. Behind a "
            "proxy that opens TLS, tell pip its authority: `pip config set global.cert FILE`."
        ),
    ),
    OFFLINE,
    Trouble(
        signs=r"\b(401|403|407)\b.{0,40}(Unauthorized|Forbidden|Error|Authentication)",
        advice="The package index refuses us. Check the name and password in pip's index-url.",
    ),
    Trouble(
        signs=r"DO NOT MATCH THE HASHES|[Hh]ash mismatch",
        advice=(
            "The package index serves other files than the ones this project was tested with, so "
            "they are not installed. Use another index, and tell whoever runs this one."
        ),
    ),
    Trouble(
        signs=(
            r"No matching distribution|not found in the package registry|no wheels with a matching"
            r"|has no usable wheels|No solution found"
        ),
        advice=(
            "The package index lacks a file that this Python and system need. The lock serves "
            "CPython 3.11 to 3.14 on Linux (glibc 2.28 or newer) and macOS."
        ),
    ),
)


def is_offline(log: str) -> bool:
    """Tell whether it failed for want of a connection, which another attempt does not change."""
    return re.search(OFFLINE.signs, log) is not None


def explain(log: str, path: Path) -> str:
    """Return what is wrong, what to do, and the last lines of the log."""
    for trouble in TROUBLES:
        if re.search(trouble.signs, log):
            advice = trouble.advice
            break
    else:
        advice = "The installation failed for a reason not foreseen."
    last = "\n".join(f"  {line[:LONGEST_LINE]}" for line in log.splitlines()[-LAST_LINES:])
    return f"{advice}\nThe log, {path}, ends with:\n{last}"
