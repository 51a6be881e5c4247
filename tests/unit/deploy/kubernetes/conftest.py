"""Every overlay, and production with every component that it only names."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.manifests import KUBERNETES, OVERLAYS, Manifests, build, overlay


@cache
def everything() -> Manifests:
    """Return a copy of production with all components, made as the page tells it."""
    with TemporaryDirectory() as place:
        copied = shutil.copytree(KUBERNETES, Path(place, "kubernetes"))
        mine = shutil.copytree(copied / "overlays/production", copied / "overlays/mine")
        kustomization = mine / "kustomization.yaml"
        text = kustomization.read_text("utf-8").replace("  # - ../", "  - ../")
        kustomization.write_text(text, "utf-8")
        return build(mine)


@pytest.fixture(params=[*OVERLAYS, "everything"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Each of them, one after the other."""
    return everything() if request.param == "everything" else overlay(request.param)
