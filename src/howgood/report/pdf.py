"""A page printed by a browser of this machine: Chromium, headless, shown one file and no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from howgood.core.errors import HowgoodError
from howgood.core.text import one_line

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
VARIABLE = "HOWGOOD_BROWSER"
LONGEST = 180.0
"""Seconds that printing may take."""


def browser() -> str:
    """The browser that prints: the one that HOWGOOD_BROWSER names, else the first that is found. Raises `HowgoodError`
    where there is none."""
    asked = os.environ.get(VARIABLE)
    if asked:
        if found := shutil.which(asked):
            return found
        raise HowgoodError(f"{VARIABLE} names {asked}, which is no program here")
    for name in (*NAMES, *PLACES):
        if found := shutil.which(name):
            return found
    raise HowgoodError(
        f"a PDF is printed by Chromium, Chrome or Edge, and none was found: install one, set {VARIABLE} to where it "
        "is, or write report.html and print that"
    )


def printed(program: str, page: bytes) -> bytes:
    """A page as PDF. The browser gets a folder of its own and reaches no network. Raises `HowgoodError` where it does
    not do it."""
    with tempfile.TemporaryDirectory(prefix="howgood-pdf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source, made = folder / "report.html", folder / "report.pdf"
        source.write_bytes(page)
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={made}",
            source.as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # Chromium's sandbox does not run as root
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            raise HowgoodError(f"{program} did not print the report within {LONGEST:.0f} s") from None
        except OSError as error:
            raise HowgoodError(f"{program} cannot be run ({error.strerror}); set {VARIABLE} to another") from error
        if not made.is_file():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [
                f"it ended with {done.returncode}"
            ]
            raise HowgoodError(f"{program} printed nothing: {one_line(last[0])[:300]}")
        return made.read_bytes()
