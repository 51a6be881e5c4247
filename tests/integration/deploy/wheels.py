"""The smallest wheels that pip installs; also the build backend of the clones under test."""

import base64
import hashlib
import zipfile
from pathlib import Path


def write_wheel(directory: Path, name: str, files: dict[str, str]) -> Path:
    """Write a wheel of version 1 and return its path."""
    info = f"{name}-1.dist-info"
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record += f"{path},sha256={digest.rstrip(b'=').decode()},{len(text)}\n"
    wheel = directory / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(path, text)
    return wheel


def build_editable(directory: str, *_: object) -> str:
    """Return the wheel that puts the current directory on the path, as PEP 660 wants it."""
    return write_wheel(Path(directory), "clerkwork", {"clerkwork.pth": str(Path.cwd())}).name
