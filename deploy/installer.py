"""Fills a virtual environment from a lock, with the package index that pip is configured for.

pip fetches the fast installer uv, and uv the rest, in a fifth of the time. uv does not read
pip's configuration, so it is told. Where uv fails, pip does it all. Hashes are always checked.

Only the standard library: this runs before anything is installed.
"""

import ast
import importlib.util
import os
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.environment import Environment, EnvironmentRefusedError, Extent, incomplete_python, say
from deploy.trouble import explain, is_offline

INSTALLER_LOCK = Path(__file__).with_name("installer.lock")
LOCKED = ("--require-hashes", "--no-deps", "--only-binary=:all:")
OURSELVES = ("--no-deps", "--no-build-isolation", "--no-index", "--editable")

# Environment variables of uv for options of pip; with several values, what stands between them.
UV_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
}


class _StepFailedError(Exception):
    """A command ended with an error; the log says which."""


@dataclass(frozen=True, kw_only=True)
class Installer:
    """One installation, from nothing."""

    environment: Environment
    extent: Extent
    started: float = field(default_factory=time.monotonic)

    @property
    def log(self) -> Path:
        """Where everything goes that pip and uv say."""
        return self.environment.work / "install.log"

    def install(self) -> None:
        """Make the environment anew; raise EnvironmentRefusedError where that fails."""
        say(f"Installing into {self.environment.directory} (once)")
        try:
            self.log.write_text("")
            self._create()
            self._fill()
        except _StepFailedError:
            raise EnvironmentRefusedError(explain(self.log.read_text(), self.log)) from None
        except OSError as error:
            raise EnvironmentRefusedError(
                f"{self.environment.directory} cannot be made: {error}. Make sure that it can be "
                "written and that the disk is not full, and start again."
            ) from None
        say(f"Installed in {self._elapsed}")

    @property
    def _elapsed(self) -> str:
        return f"{time.monotonic() - self.started:.0f} s"

    def _create(self) -> None:
        """Make an environment with the pip that came with Python, and nothing else.

        The same as ensurepip, which takes seven seconds, mostly for compiling.
        """
        directory = self.environment.directory
        venv.EnvBuilder(clear=True, symlinks=True).create(directory)
        wheel = next(bundled_pips(), None)
        if wheel is None:
            raise EnvironmentRefusedError(incomplete_python("pip: there is no module ensurepip"))
        site_packages = sysconfig.get_path("purelib", vars={"base": str(directory)}, scheme="venv")
        zipfile.ZipFile(wheel).extractall(site_packages)

    def _fill(self) -> None:
        lock = str(self.environment.root / self.extent.lock)
        ourselves = (*OURSELVES, str(self.environment.root))
        try:
            self._fetch_uv()
            self._uv("install", *LOCKED, "--index-strategy=unsafe-best-match", "-r", lock)
            self._uv("install", *ourselves)
        except _StepFailedError:
            self._pip("install", *LOCKED, "--no-compile", "-r", lock)
            self._pip("install", *ourselves)

    def _fetch_uv(self) -> None:
        try:
            self._pip("install", *LOCKED, "--no-compile", "-r", str(INSTALLER_LOCK))
        except _StepFailedError:
            self._give_up_if_offline()
            raise

    def _give_up_if_offline(self) -> None:
        """Spare the user pip's patience when it has just been tried."""
        log = self.log.read_text()
        if is_offline(log):
            raise EnvironmentRefusedError(explain(log, self.log))

    def _pip(self, *arguments: str) -> None:
        python = str(self.environment.python)
        # PIP_USER: some have `user = true` configured, which cannot be in an environment.
        self._run([python, "-m", "pip", *arguments, "--no-input"], {"PIP_USER": "0"})

    def _uv(self, command: str, *arguments: str) -> None:
        python = str(self.environment.python)
        options = self._pip_options()
        uv = [python, "-m", "uv", "pip", command, "--no-config", f"--python={python}"]
        if options.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
            uv.append("--no-index")
        self._run([*uv, *arguments], uv_environment(options, os.environ))

    def _pip_options(self) -> dict[str, str]:
        python = str(self.environment.python)
        listed = subprocess.run(  # noqa: S603 - the command is ours
            [python, "-m", "pip", "config", "list"], capture_output=True, check=False, text=True
        )
        return pip_options(listed.stdout)

    def _run(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run to the end, with everything it says in the log.

        The command inherits the lock of the installation: when we are killed and it is not,
        the next start waits for its end.
        """
        with self.log.open("a") as log:
            running = subprocess.Popen(  # noqa: S603 - commands are ours
                command,
                env=os.environ | variables,
                cwd=self.environment.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=False,
            )
            try:
                while running.poll() is None:
                    if sys.stderr.isatty():
                        sys.stderr.write(f"\r{self._elapsed} ")
                        sys.stderr.flush()
                    time.sleep(0.1)
            finally:
                running.kill()
                running.wait()
        if running.returncode:
            raise _StepFailedError


def bundled_pips() -> Iterator[Path]:
    """Yield the wheels of pip that came with this Python."""
    places = [sysconfig.get_config_var("WHEEL_PKG_DIR")]
    if (ensurepip := importlib.util.find_spec("ensurepip")) and ensurepip.origin:
        places.append(Path(ensurepip.origin).with_name("_bundled"))
    places.append("/usr/share/python-wheels")  # Debian's, of use even without its ensurepip
    for place in places:
        if place:
            yield from Path(place).glob("pip-*.whl")


def pip_options(listed: str) -> dict[str, str]:
    """Return what `pip config list` says for installing; a variable beats a file, as for pip."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return found


def uv_environment(options: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that make uv behave as pip does with these options."""
    variables = {
        variable: between.join(options[option].split())
        for option, (variable, between) in UV_VARIABLES.items()
        if option in options
    }
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # pip honours them, uv does not
        if bundle in environment:
            variables.setdefault("SSL_CERT_FILE", environment[bundle])
    return variables
