"""Where the built plugin lies, and what a host may be off by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# The bundle has its own library, models and presets: a variable of the checkout must not stand in for them.
os.environ.pop("BETWIXT_RESOURCES", None)

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def vst3() -> str:
    """The built VST3 bundle."""
    folder = Path(os.environ.get("BETWIXT_BUNDLE", CHECKOUT / "target" / "bundled")).resolve()
    bundle = folder / "betwixt.vst3"
    if not bundle.exists():
        pytest.fail(f"no plugin at {bundle}: run `cargo xtask bundle` first, or set BETWIXT_BUNDLE")
    return str(bundle)
