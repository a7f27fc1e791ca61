"""A real browser for pages: the system's Chromium, without a window. Where there is none, tests are skipped."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """Where Chromium is. Skips the test where it is not installed."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip(f"no Chromium here (looked for {', '.join(NAMES)}): apt-get install chromium")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser while the context lasts; each page's context is a profile of its own."""
    # Chromium's sandbox does not work for root, as whom CI runs; only pages of ours are opened.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    path = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield started
        finally:
            await started.close()
