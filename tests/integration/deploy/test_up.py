"""`up`: all of clerkwork from one command, and all of it gone in the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from deploy.announce import DEVELOPMENT_USER
from deploy.environment import ROOT
from deploy.home import find_home
from deploy.samples import Person, tell, write_event
from deploy.sign import new_event_id, sign
from deploy.stack.installation import provide_installation
from deploy.stack.ports import free_port
from deploy.tokens import mint_token
from schema.ops.metrics import CANARY_STATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

QUICKSTART = ROOT / "deploy/docs/quickstart.md"
TRY = re.compile(r"<!-- try -->\n```sh\n(.*?)```", re.DOTALL)
ADA = Person(id=DEVELOPMENT_USER, first_name="Ada", last_name="Lovelace", email="ada@example.com")


@dataclass(frozen=True, kw_only=True)
class Up:
    """A running `up`."""

    process: subprocess.Popen[str]
    said: Sequence[str]
    """What it printed until it was up."""

    def children(self) -> list[psutil.Process]:
        """Return every process that it has started, servers and guards included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, list[psutil.Process]]:
        """Send the signal; return the exit code, and the processes that are still there."""
        children = self.children()
        self.process.send_signal(number)
        code = self.process.wait(60)
        _, alive = psutil.wait_procs(children, timeout=20)
        return code, alive


@contextlib.contextmanager
def _running_up(
    data: Path, *, ingest_port: int, api_port: int, canary_port: int | None = None
) -> Iterator[Up]:
    process = subprocess.Popen(  # noqa: S603 - our own console
        [
            *(sys.executable, "-m", "deploy", "up", "--data", str(data)),
            *(f"--ingest-port={ingest_port}", f"--api-port={api_port}"),
            *(f"--worker-port={free_port()}", f"--relay-port={free_port()}"),
            f"--canary-port={canary_port or free_port()}",
            f"--desk-port={free_port()}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            said: list[str] = []
            while (line := process.stdout.readline()) and "Ctrl-C stops" not in line:
                said.append(line.rstrip())
            assert process.poll() is None, "\n".join(said)
            yield Up(process=process, said=said)
        finally:
            process.kill()


def _ask(url: str, *, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - our own URL
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own URL
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _ask_me(data: Path, api_port: int) -> tuple[int, Any]:
    token = mint_token(find_home(data).private_key(), user_id=ADA.id, minutes=1)
    url = f"http://127.0.0.1:{api_port}/v1/me"
    return _ask(url, headers={"Authorization": f"Bearer {token}"})


def _post_ada(data: Path, ingest_port: int) -> int:
    body = write_event(tell("user.created", ADA, at_ms=int(time.time() * 1000)))
    headers = sign(body, secret=find_home(data).signing_secret(), event_id=new_event_id())
    url = f"http://127.0.0.1:{ingest_port}/webhooks/clerk"
    return _ask(url, headers=dict(headers), body=body)[0]


def _post_as_ada(data: Path, ingest_port: int) -> int:
    token = mint_token(find_home(data).private_key(), user_id=ADA.id, minutes=1)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"title": "Hello", "body": ""}).encode()
    return _ask(f"http://127.0.0.1:{ingest_port}/v1/posts", headers=headers, body=body)[0]


def _canary_seen(port: int) -> set[str]:
    """Return where the canary was seen by now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        sample.labels["at"]
        for family in families
        for sample in family.samples
        if sample.name == "clerkwork_canary_seen_timestamp_seconds" and sample.value
    }


def _follow_quickstart(data: Path, up: Up, *, api_port: int) -> str:
    """Return what it prints when what the quickstart shows is pasted, `export` line and all."""
    (exports,) = [line for line in up.said if line.startswith("export ")]
    script = "\n".join([exports, *TRY.findall(QUICKSTART.read_text("utf-8"))])
    here = {
        "deploy/run": f"{sys.executable} -m deploy",
        "~/clerkwork": str(data),
        "127.0.0.1:8081": f"127.0.0.1:{api_port}",
    }
    for shown, meant in here.items():
        assert shown in script
        script = script.replace(shown, meant)
    psql = provide_installation().program("psql")
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - a reader's shell
        cwd=ROOT,
        env=os.environ | {"PATH": f"{psql.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_webhook_becomes_a_user_and_stays_one_over_restarts(tmp_path: Path) -> None:
    """One run takes it and ends cleanly; the next still has it, and says so when a part dies."""
    ingest_port, api_port, canary_port = free_port(), free_port(), free_port()
    data = tmp_path / "data"

    with _running_up(
        data, ingest_port=ingest_port, api_port=api_port, canary_port=canary_port
    ) as up:
        assert _ask_me(data, api_port)[0] == 404
        assert _post_ada(data, ingest_port) == 202
        give_up = time.monotonic() + 60
        while (found := _ask_me(data, api_port))[0] == 404 and time.monotonic() < give_up:
            time.sleep(0.1)
        assert (found[0], found[1]["first_name"]) == (200, "Ada")
        assert sum(line.startswith("curl ") for line in up.said) == 3
        (desk,) = [line for line in up.said if "/sign-in?code=" in line]
        with urllib.request.urlopen(desk, timeout=10) as answer:  # noqa: S310 - our own URL
            assert b'name="code"' in answer.read()
        assert _post_as_ada(data, ingest_port) == 202
        while (seen := _canary_seen(canary_port)) != {*CANARY_STATIONS}:
            assert time.monotonic() < give_up, seen
            time.sleep(0.1)
        printed = _follow_quickstart(data, up, api_port=api_port)
        assert [word for word in ("ada@example.com", "Ada", "applied") if word not in printed] == []
        assert up.end() == (0, [])

    with _running_up(data, ingest_port=ingest_port, api_port=api_port) as up:
        status, me = _ask_me(data, api_port)
        assert (status, me["email"]) == (200, "ada@example.com")
        children = up.children()
        (ingest,) = [each for each in children if each.cmdline()[1:] == ["-P", "-m", "ingest"]]
        ingest.kill()
        assert up.process.stdout
        last_words = up.process.stdout.read()
        assert up.process.wait(60) == 1
        assert "ingest has ended with SIGKILL" in last_words
        assert psutil.wait_procs(children, timeout=20)[1] == []


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    """With the option that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(  # noqa: S603 - our own console
            [
                *(sys.executable, "-m", "deploy", "up", "--data", str(tmp_path / "data")),
                *(f"--ingest-port={free_port()}", f"--api-port={port}"),
                *(f"--worker-port={free_port()}", f"--relay-port={free_port()}"),
                f"--desk-port={free_port()}",
            ],
            capture_output=True,
            check=False,
            cwd=ROOT,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"api (--api-port) is to listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
