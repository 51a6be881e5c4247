"""Do what docs/how-to/encrypt.md says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT
from deploy.stack.postgres import NAME
from tests.certificates import HOST
from tests.factories import SECRET
from tests.integration.tls.kafka import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.tls.conftest import Secured

PAGE: Final = ROOT / "deploy/docs/how-to/encrypt.md"
BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks() -> dict[str, list[str]]:
    """Return the scripts of each section."""
    parts = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {
        name: re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for name, text in found
    }


def run_page(secured: Secured, directory: Path) -> dict[str, str]:
    """Do what the page says with the addresses that there are here; return the variables."""
    blocks = read_blocks()
    secrets = blocks["Secrets from files"][0]
    script = f"set -eua\n{blocks['Kafka'][0]}{secrets}{blocks['HTTP'][0]}env -0"
    for written, meant in {
        "kafka.internal:9093": secured.kafka.servers("SASL_SSL"),
        "worker_a:": f"{NAME}:",
        "db.internal:5432": f"{HOST}:{secured.postgres.port}",
        "/etc/clerkwork": str(directory),
    }.items():
        assert written in script
        script = script.replace(written, meant)
    for name in ("kafka-ca.crt", "postgres-ca.crt"):
        shutil.copyfile(secured.trusted.file, directory / name)
    done = subprocess.run(  # noqa: S603  # what the page says
        ["/bin/bash", "-c", script],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_PASSWORD": secured.postgres.password,
            "KAFKA_PASSWORD": PASSWORD,
            "WEBHOOK_SECRET": SECRET.removeprefix("whsec_"),
        },
        capture_output=True,
        check=True,
    )
    variables = dict(each.split("=", 1) for each in done.stdout.decode().split("\0") if each)
    for name in ("DATABASE_PASSWORD", "KAFKA_PASSWORD", "WEBHOOK_SECRET"):
        del variables[name]
    return variables
