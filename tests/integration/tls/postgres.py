"""A PostgreSQL that speaks TLS. The wheel's is built without; this one comes as Kafka's jars do.

It is the one of io.zonky.test.postgres, PostgreSQL 18 with OpenSSL, Apache License 2.0.
"""

from __future__ import annotations

import os
import platform
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from deploy.stack import postgres
from deploy.stack.installation import PROGRAMS, Installation, provide_installation
from deploy.stack.jars import provide_jars
from deploy.stack.postgres import Postgres

if TYPE_CHECKING:
    from tests.certificates import Authority, Certificate

CERTIFIED: Final = "certified"
"""The user whose certificate is all that is asked for."""
HBA: Final = f"hostssl all {CERTIFIED} all cert\nhostssl all all all scram-sha-256\n"
SETTINGS: Final = {"ssl": "on", "ssl_ca_file": "clients.crt"}


def provide_programs(directory: Path) -> Installation:
    """Put the programs there; skips the test where there are none for this machine."""
    lock = Path(__file__).with_name(f"postgres.{platform.machine()}.lock")
    if platform.system() != "Linux" or not lock.exists():
        pytest.skip(f"no PostgreSQL with TLS is known for {platform.platform()}")
    (jar,) = provide_jars(lock=lock, name="PostgreSQL").iterdir()
    with zipfile.ZipFile(jar) as outer:
        (name,) = (each for each in outer.namelist() if each.endswith(".txz"))
        with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as inner:
            inner.extractall(directory / PROGRAMS, filter="data")
    return Installation(root=directory, account=provide_installation().account)


class SecurePostgres(Postgres):
    """Lets nobody in but by TLS."""

    def __init__(
        self,
        *,
        data: Path,
        log: Path,
        installation: Installation,
        authority: Authority,
        certificate: Certificate,
    ) -> None:
        """`authority` vouches for clients."""
        super().__init__(data=data, log=log)
        self._installation = installation
        self._authority, self._certificate = authority, certificate

    def start(self) -> None:
        """Do as every embedded server does, with other programs and other rules."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postgres, "provide_installation", lambda: self._installation)
            patch.setattr(postgres, "HBA", HBA)
            patch.setattr(postgres, "SETTINGS", postgres.SETTINGS | SETTINGS)
            super().start()

    @property
    def password(self) -> str:
        """The one of the user NAME."""
        return self._password_file.read_text()

    def show(self, certificate: Certificate) -> None:
        """Put another certificate where the server finds it when it is told to look."""
        owner = self.data.stat()
        for name, file in {
            "server.crt": certificate.file,
            "server.key": certificate.key_file,
            "clients.crt": self._authority.file,
        }.items():
            there = self.data / name
            shutil.copyfile(file, there)
            there.chmod(0o600)
            os.chown(there, owner.st_uid, owner.st_gid)

    def _initialise(self, installation: Installation) -> None:
        super()._initialise(installation)
        self.show(self._certificate)
