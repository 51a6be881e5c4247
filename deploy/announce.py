"""Say where everything is, with commands that can be pasted as they are."""

from __future__ import annotations

import json
import shlex
import time
import urllib.request
from typing import TYPE_CHECKING, Final

from deploy.sign import new_event_id, sign
from deploy.tokens import mint_token

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.system import System

DEVELOPMENT_USER: Final = "user_development"
"""Whom the printed webhook creates and the printed token belongs to."""
TOKEN_MINUTES: Final = 60
PATIENCE_S: Final = 10.0
"""How long the desk may take to answer."""


def announce(system: System, console: Console) -> None:
    """Print addresses, the signing secret, and a request to each door."""
    places = {
        "webhooks": system.webhooks_url,
        "commands": system.commands_url,
        "API": system.api_url,
        **({"desk": system.desk_url} if system.desk_url else {}),
        "metrics": " · ".join(f"{each.url}/metrics" for each in system.services.named.values()),
        "topics": f"{system.services.named['worker'].url}/asyncapi",
        "Kafka": system.stack.bootstrap_servers,
        "PostgreSQL": system.stack.database_url if system.stack.postgres else "as in DATABASE_URL",
        "logs": str(system.logs),
        "signing secret": system.signing_secret,
    }
    console.print("\n[bold]clerkwork is up.[/]\n")
    for name, place in places.items():
        console.print(f"  {name:<15} ", end="")
        console.print(place, markup=False)
    _paste(console, "A webhook, signed, good for five minutes:", webhook_command(system))
    if system.believes_us:
        _paste(console, "Who it creates, asked with a development token:", me_command(system))
        _paste(console, "A post of theirs:", post_command(system))
        _invite(system, console)
    if system.stack.postgres:
        _paste(console, "For the other commands, in another terminal:", _exports(system))
    data = system.wishes.data
    where = f" --data {shlex.quote(str(data))}" if data else ""
    console.print(f"\nMore webhooks: deploy/run send{where} --count 100 --shuffle", markup=False)
    console.print(f"More tokens:   deploy/run token{where} --user user_…", markup=False)
    console.print("Ctrl-C stops.")


def webhook_command(system: System) -> str:
    """Return a shell command that posts a user.created, rightly signed."""
    now_ms = int(time.time() * 1000)
    body = json.dumps(_created(now_ms), separators=(",", ":"))
    headers = sign(body.encode(), secret=system.signing_secret, event_id=new_event_id())
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    return shlex.join(["curl", "-sS", system.webhooks_url, *options, "-d", body])


def me_command(system: System) -> str:
    """Return a shell command that asks the API who the caller is."""
    return shlex.join(["curl", "-sS", f"{system.api_url}/v1/me", *_sign_in(system)])


def post_command(system: System) -> str:
    """Return a shell command that gives ingest a post of the caller's."""
    body = json.dumps({"title": "Hello", "body": "Written by command.", "status": "published"})
    options = [*_sign_in(system), "-H", "Content-Type: application/json", "-d", body]
    return shlex.join(["curl", "-sS", f"{system.commands_url}/v1/posts", *options])


def desk_address(system: System) -> str | None:
    """Return where the development user signs in to the desk, once; None without a desk."""
    if not system.desk_url:
        return None
    token = mint_token(system.private_key, user_id=DEVELOPMENT_USER, minutes=TOKEN_MINUTES)
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{system.desk_url}/sign-in/codes",
        method="POST",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - our own URL
        address: str = json.load(answer)["url"]
    return address


def _invite(system: System, console: Console) -> None:
    """Say where the desk is; its user is an administrator once the webhook has arrived."""
    try:
        address = desk_address(system)
    except OSError as error:
        console.print(f"\nThe desk does not answer ({type(error).__name__}): see its log.")
        return
    if address:
        _paste(console, "The desk, for who has sent that webhook; good once, for 10 min:", address)


def _sign_in(system: System) -> list[str]:
    token = mint_token(system.private_key, user_id=DEVELOPMENT_USER, minutes=TOKEN_MINUTES)
    return ["-H", f"Authorization: Bearer {token}"]


def _exports(system: System) -> str:
    """Return a shell command after which an operator's commands find the servers."""
    servers = {
        "KAFKA_BOOTSTRAP_SERVERS": system.stack.bootstrap_servers,
        "DATABASE_URL": system.stack.database_url,
    }
    return " ".join(["export", *(f"{name}={shlex.quote(at)}" for name, at in servers.items())])


def _paste(console: Console, title: str, command: str) -> None:
    console.print(f"\n{title}\n")
    console.print(command, markup=False)


def _created(now_ms: int) -> dict[str, object]:
    return {
        "type": "user.created",
        "object": "event",
        "timestamp": now_ms + 12,
        "data": {
            "id": DEVELOPMENT_USER,
            "object": "user",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "primary_email_address_id": "idn_development",
            "email_addresses": [
                {
                    "id": "idn_development",
                    "email_address": "ada@example.com",
                    "verification": {"status": "verified"},
                }
            ],
            "public_metadata": {"role": "admin"},
            "created_at": now_ms,
            "updated_at": now_ms,
        },
    }
