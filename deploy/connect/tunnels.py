"""Tunnels that lead from the internet to an ingest on this machine, and what each needs.

Sources: https://clerk.com/docs/guides/development/webhooks/debugging, where Clerk names ngrok,
localtunnel, Cloudflare Tunnel and Pinggy; https://clerk.com/docs/guides/development/webhooks/syncing,
https://ngrok.com/docs/integrations/webhooks/clerk-webhooks,
https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/do-more-with-tunnels/trycloudflare/,
https://tailscale.com/docs/reference/tailscale-cli/funnel, ssh(1) and sshd_config(5), GatewayPorts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """A way in."""

    command: str
    """`{port}` stands for ingest's."""
    needs: str


TUNNELS: Final = (
    Tunnel(
        command="cloudflared tunnel --url http://127.0.0.1:{port}",
        needs="no account; another address with every start, and for trials only",
    ),
    Tunnel(
        command="ngrok http {port}",
        needs="an account and its authtoken; --url=<your static domain> keeps the address",
    ),
    Tunnel(
        command="tailscale funnel {port}",
        needs="a tailnet with HTTPS and Funnel allowed; the address stays",
    ),
    Tunnel(
        command="ssh -N -R 127.0.0.1:9000:127.0.0.1:{port} you@your.server",
        needs="a server of yours, with an HTTPS proxy before its port 9000; the address stays",
    ),
)
"""Those that need nothing of clerkwork. All pass bodies on as they are."""


def describe_tunnels(port: int) -> list[str]:
    """Return a line for each, and what must be so of any."""
    lines = [f"{each.command.format(port=port)}\n        {each.needs}" for each in TUNNELS]
    return [
        *lines,
        "Any other is as good that passes POST, the svix- headers and the body, byte for byte.",
    ]
