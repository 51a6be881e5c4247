"""A Kafka that speaks TLS, and asks who one is: a listener for each way of being let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.stack.kafka import FORMAT, RECORDS, SETTINGS_FILE, Kafka, new_cluster_id
from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.tool import run_tool
from tests.certificates import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.certificates import Authority, Certificate

USER: Final = "clerkwork"
PASSWORD: Final = "k-hunter2"
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-512")
_MODULES: Final = "org.apache.kafka.common.security"
_LISTENERS: Final = {"SASL_SSL": "SASL_SSL", "MUTUAL": "SSL", "EXPIRED": "SASL_SSL"}
"""Listener -> its protocol."""


class SecureKafka(Kafka):
    """Besides the listener of every embedded Kafka, which is its own: three with TLS."""

    def __init__(
        self,
        *,
        data: Path,
        log: Path,
        authority: Authority,
        server: Certificate,
        expired: Certificate,
    ) -> None:
        """`authority` vouches for clients; `expired` is what one listener shows."""
        super().__init__(data=data, log=log)
        self._authority, self._shown = authority, {"EXPIRED": expired}
        self._certificate = server
        self._ports = {name: free_port() for name in _LISTENERS}

    def servers(self, listener: str, *, host: str = HOST) -> str:
        """Return the address of a listener: SASL_SSL, MUTUAL, EXPIRED."""
        return f"{host}:{self._ports[listener]}"

    def _write_settings(self) -> None:
        super()._write_settings()
        path = self.data / SETTINGS_FILE
        known = dict(line.split("=", 1) for line in path.read_text().splitlines())
        for name, at in (("listeners", LOOPBACK), ("advertised.listeners", HOST)):
            ours = [f"{each}://{at}:{port}" for each, port in self._ports.items()]
            known[name] = ",".join([known[name], *ours])
        protocols = [f"{name}:{protocol}" for name, protocol in _LISTENERS.items()]
        key = "listener.security.protocol.map"
        known[key] = ",".join([known[key], *protocols])
        known["sasl.enabled.mechanisms"] = ",".join(MECHANISMS)
        for name in _LISTENERS:
            known |= self._settings(name)
        path.write_text("".join(f"{name}={value}\n" for name, value in known.items()))

    def _settings(self, listener: str) -> Mapping[str, str]:
        begin = f"listener.name.{listener.lower()}"
        plain = f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = f"{_MODULES}.scram.ScramLoginModule required;"
        shown = self._shown.get(listener, self._certificate)
        return {
            f"{begin}.ssl.keystore.type": "PEM",
            f"{begin}.ssl.keystore.location": str(shown.together()),
            f"{begin}.ssl.truststore.type": "PEM",
            f"{begin}.ssl.truststore.location": str(self._authority.file),
            f"{begin}.ssl.client.auth": "required" if listener == "MUTUAL" else "none",
            f"{begin}.plain.sasl.jaas.config": plain,
            f"{begin}.scram-sha-512.sasl.jaas.config": scram,
        }

    def _format(self, java: list[str | Path]) -> None:
        if (self.data / RECORDS / "meta.properties").exists():
            return
        credentials = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        run_tool(
            [*java, *FORMAT, new_cluster_id(), "--add-scram", credentials],
            purpose=f"prepare {self.data} for Kafka",
            directory=self.data,
        )
