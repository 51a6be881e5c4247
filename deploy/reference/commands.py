"""The page of the console's commands, as cyclopts writes it."""

from __future__ import annotations

import re
from typing import Final

from deploy.console import app
from deploy.reference.markdown import page

_INTRODUCTION: Final = """\
# Commands

`deploy/run` makes `.venv` where it is missing, and runs the console in it; once it is there,
`.venv/bin/clerkwork` is the same, and so is `python -m deploy` in the image. `--help` after any of
these shows what is below.

What a command reads besides its options is in the [settings](settings.md). What it finds goes to
standard output, what is wrong to standard error.

| exit code | means |
|---|---|
| 0 | done, or nothing is wrong |
| 1 | it cannot be done, and standard error says why; or what was looked for was found |
| 2 | an argument is wrong; of `reconcile` also: refused, or not brought to an end |
| 130 | Ctrl-C |"""

_CONTENTS: Final = re.compile(r"^## Table of Contents\n.*?(?=^\*\*)", re.MULTILINE | re.DOTALL)
_UNSET: Final = re.compile(r" \*\[default: (?:False|\(\))\]\*")
_HEAD: Final = re.compile(r"\A# clerkwork\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
# After `python -m NAME`, cyclopts leaves a part of that in the usage of each command.
_STARTED: Final = re.compile(r"^(clerkwork [a-z -]+?) -m \S+", re.MULTILINE)
_WRAPPED: Final = re.compile(r"(?<=\S)\n {4}(?=\S)")


def write_commands() -> str:
    """Return every command, with what its options mean."""
    written = _HEAD.sub("", app.generate_docs(usage_name="clerkwork"))
    written = _STARTED.sub(r"\1", _CONTENTS.sub("", written))
    return page(_INTRODUCTION, _WRAPPED.sub(" ", _UNSET.sub("", written)).strip())
