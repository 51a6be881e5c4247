"""Promise -> the alerts that guard it, as the rules of Prometheus say."""

from __future__ import annotations

from typing import Final

GUARDS: Final[dict[str, tuple[str, ...]]] = {
    "Only Clerk gets in": ("ClerkworkForgeries",),
    "Nothing that Clerk signed is refused": (
        "ClerkworkSecretWrong",
        "ClerkworkClockOff",
        "ClerkworkQuarantined",
    ),
    "A 2xx means it is safe": (
        "ClerkworkIngestSlow",
        "ClerkworkCanaryLost",
        "ClerkworkCanarySilent",
    ),
    "A crash loses nothing": (
        "ClerkworkLagOld",
        "ClerkworkCommitsFail",
    ),
    "A sick database loses nothing": ("ClerkworkWorkerWaits",),
    "A bad deploy does not fill the dead-letter topic": (
        "ClerkworkLineStopped",
        "ClerkworkRetriesGrow",
        "ClerkworkBugs",
    ),
    "One bad event stops nobody": ("ClerkworkDeadLettersWaiting",),
    "A dead letter is not the end": ("ClerkworkDeadLettersExpire",),
    "What is skipped is seen": (
        "ClerkworkOffsetsSkipped",
        "ClerkworkNothingChecked",
    ),
    "Any order, any number of times, one result": ("ClerkworkOrderViolated",),
    "Every change is told, in order per user": (
        "ClerkworkNoActiveRelay",
        "ClerkworkTwoActiveRelays",
        "ClerkworkRelayBehind",
        "ClerkworkRelayTermsEnd",
        "ClerkworkChangeOrderViolated",
    ),
    "Who was away misses nothing, or is told so": ("ClerkworkStreamsBreak",),
    "Every answer is the documented one": ("ClerkworkApiErrors",),
    "Who has written reads it": ("ClerkworkWritesNotSeen",),
    "What is kept is not outdated": ("ClerkworkCacheBlind",),
    "A new user is there at their first request": ("ClerkworkNewcomersWait",),
    "What webhooks lost is found": (
        "ClerkworkNoWebhooks",
        "ClerkworkDriftFound",
        "ClerkworkReconcileNotRun",
    ),
    "Nobody is deleted by mistake": ("ClerkworkReconcileRefused",),
}
