"""Pictures of every page of the studio, light and dark, wide and narrow: `make screenshots`.

    python tests/studio/screenshots.py [--runs FOLDER] [--out FOLDER] [--only NAME]

Without `--runs` it makes the runs first: SmolLM2 on data of `../shared` (some minutes). `--manual` keeps the few that
the manual shows, in docs/pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from real_runs import Runs, make_runs, pages

from howgood.runs import store
from howgood.studio.server import Studio

ROOT = Path(__file__).parents[2]
WIDTHS = {"wide": 1440, "narrow": 390}
MANUAL = ("runs", "run", "instances", "instance-choices", "instance-grids", "instance-judged", "compare", "leaderboard",
          "beside", "label", "surprise-two")  # fmt: skip
"""The pages whose wide and light picture the manual shows."""
TALLEST = 2_600
"""Pixels of a page on a picture."""
FLAGS = "--headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb".split()


def named(folder: Path) -> Runs:
    """The runs of a folder under the names of `make_runs`."""
    runs: Runs = {}
    echo = {"mmlu": "guessing", "arc-agi-1": "echo", "ifeval": "echo", "quickstart-passages": "uniform"}
    short = {"arc-agi-1": "arc", "quickstart-passages": "passages"}
    for run in store.runs(folder):
        name = short.get(run.benchmark, run.benchmark)
        if run.system.name.startswith("reference/"):
            name = f"{name} {echo.get(run.benchmark, '')}"
        runs["imported" if run.system.name.startswith("mockllm") else name] = run
    return runs


async def take(folder: Path, out: Path, only: str | None, models: list[Any]) -> None:
    from playwright.async_api import async_playwright

    found = pages(named(folder))
    out.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with Studio([folder], models=models) as studio, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        for scheme in ("light", "dark"):
            for width, pixels in WIDTHS.items():
                context = await browser.new_context(
                    viewport={"width": pixels, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
                )
                page = await context.new_page()
                page.on("console", lambda message: print(f"  {message.type}: {message.text}"))
                for name, path in found.items():
                    if only and only not in name:
                        continue
                    await page.goto(studio.url + path)
                    await page.wait_for_timeout(150)
                    over = await page.evaluate(
                        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    )
                    tall = await page.evaluate("document.documentElement.scrollHeight")
                    file = out / f"{name}-{width}-{scheme}.png"
                    await page.screenshot(
                        path=file, clip={"x": 0, "y": 0, "width": pixels, "height": min(tall, 2600)}, full_page=True
                    )
                    print(f"{file.name}{f'  {over} pixels too wide' if over > 0 else ''}")
                await context.close()
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="a folder of runs that make_runs made")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "screenshots")
    parser.add_argument("--only", help="pages with this in their name")
    parser.add_argument("--limit", type=int, default=30, help="instances of each benchmark, where runs are made")
    parser.add_argument("--manual", action="store_true", help="copy those that the manual shows to docs/pictures")
    given = parser.parse_args()
    folder = given.runs
    if folder is None:
        folder = ROOT / "dist" / "runs"
        if not folder.is_dir():
            os.environ["HOWGOOD_CACHE"] = str(folder.with_suffix(".sqlite"))
            make_runs(folder, ROOT / ".." / "shared" / "data", None, given.limit)
    out = given.out.absolute()
    os.chdir(folder.parent)  # pages show the folder as it was given
    asyncio.run(take(Path(folder.name), out, given.only, ["smollm2", "reference/echo"]))
    if given.manual:
        for name in MANUAL:
            shutil.copy(out / f"{name}-wide-light.png", ROOT / "docs" / "pictures" / f"{name}.png")


if __name__ == "__main__":
    main()
