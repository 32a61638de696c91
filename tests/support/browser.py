"""A real Chromium, driven by Playwright, without anything that it would ask the network for."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic", "--force-prefers-reduced-motion",
]  # fmt: skip


def program() -> str | None:
    """Debian's Chromium, or whatever is called so."""
    return shutil.which("chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Where there is none the tests that need it are skipped, and in CI they fail."""
    found = program()
    if found is None:
        missing = "Chromium is missing: apt-get install chromium"
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
