"""Where the built plugin lies, and what a host may be off by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# The bundle has its own library, models and presets: a variable of the checkout must not stand in for them.
os.environ.pop("BETWIXT_RESOURCES", None)

CHECKOUT = Path(__file__).resolve().parents[2]


def bundled(*name: str) -> str:
    """What lies in the bundle."""
    folder = Path(os.environ.get("BETWIXT_BUNDLE", CHECKOUT / "target" / "bundled")).resolve()
    file = folder.joinpath(*name)
    if not file.exists():
        pytest.fail(f"nothing at {file}: run `cargo xtask bundle` first, or set BETWIXT_BUNDLE")
    return str(file)


@pytest.fixture(scope="session")
def vst3() -> str:
    """The built VST3 bundle."""
    return bundled("betwixt.vst3")


@pytest.fixture(scope="session")
def betwixt() -> str:
    """The built command line."""
    return bundled("betwixt", "betwixt")
