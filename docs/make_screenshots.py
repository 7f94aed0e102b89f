"""Take the pictures of README.md: Dagster's pages of a small operator, in headless Chromium.

Run by `make screenshots`. Without options it makes a lake of a few days in a temporary directory,
starts a Dagster webserver on it, drives a browser through its pages and writes docs/images/*.png.
Needs Chromium or Chrome (Debian, Ubuntu: apt-get install chromium), found as CHROMIUM says or on
PATH, and the package `playwright` (extra `docs`), whose own browsers are not needed.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
DAYS = 3
LAST_DAY = "2026-01-03"
GROUPS = ("places", "network", "catalogue", "subscribers", "cdrs", "mobility", "oss", "care")
SERVER_SECONDS = 120
MAX_BYTES = 300_000

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1280, "height": 860}
GRAPH_SIZE = {"width": 1900, "height": 1100}


def main() -> None:
    """Take all pictures, of a webserver that is given or of one of its own."""
    parser = argparse.ArgumentParser(description="Take the pictures of README.md.")
    parser.add_argument(
        "--url",
        help=f"a running webserver whose lake has the {DAYS} days up to {LAST_DAY}; "
        "without it one is started on a lake of its own",
    )
    url = parser.parse_args().url
    browser = find_browser()
    IMAGES.mkdir(parents=True, exist_ok=True)
    if url:
        take_all(url.rstrip("/"), browser)
        return
    with (
        tempfile.TemporaryDirectory(prefix="telco-pictures-") as place,
        operator(Path(place)) as address,
    ):
        take_all(address, browser)


def find_browser() -> str:
    """Return the path of Chromium, or end with a word on how to get it."""
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if not found:
            sys.exit(f"error: CHROMIUM={named} is no program")
        return found
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    sys.exit(
        "error: no Chromium on PATH; install it (Debian, Ubuntu: apt-get install chromium) or "
        "name it: CHROMIUM=/path/to/chrome make screenshots"
    )


@contextmanager
def operator(place: Path) -> Iterator[str]:
    """Make a lake with its Dagster instance in a directory, and serve it."""
    home = place / "dagster_home"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        # A relative path: the pictures show it, and nobody's directories are of interest.
        "TELCO_LAKE": "data/lake",
    }
    tools = Path(sys.executable).parent
    subprocess.run(
        [tools / "telco", "demo", "--days", str(DAYS)],
        cwd=place,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    port = free_port()
    serve = [
        str(tools / "dagster-webserver"),
        *("-m", "telco_pipeline.definitions", "-a", "defs", "-h", "127.0.0.1", "-p", str(port)),
    ]
    log = place / "webserver.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            serve, cwd=place, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server, log)
        yield url
    finally:
        # The whole group: the webserver starts a process of its own for the definitions.
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    """Wait until the webserver answers."""
    until = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/server_info", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    sys.exit(f"error: the webserver did not come up:\n{log.read_text()[-2000:]}")


def take_all(url: str, browser: str) -> None:
    """Take all pictures and say what they weigh."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=browser,
            headless=True,
            args=list(BROWSER_FLAGS),
            viewport=SIZE,
            timezone_id="UTC",
        )
        page = context.new_page()
        remember(page, url)
        graph(page, url)
        materialisation(page, url)
        checks(page, url)
        pictures(page, url)
        context.close()
    for file in sorted(IMAGES.glob("*.png")):
        size = file.stat().st_size
        print(f"{file.relative_to(ROOT)}: {size / 1000:.0f} kB")
        if size > MAX_BYTES:
            sys.exit(f"error: {file.name} is larger than {MAX_BYTES / 1000:.0f} kB")


def remember(page: "Page", url: str) -> None:
    """Set what the UI remembers of a user: no wide navigation, a graph from top to bottom.

    From left to right the eight daily assets stand in one tall column, which no screen holds.
    """
    page.goto(url)
    page.evaluate(
        "things => Object.entries(things).forEach(([k, v]) => localStorage.setItem(k, v))",
        {
            "large-screen-nav-open": "false",
            "dagster-nav-collapsed": "true",
            "asset-graph-direction": json.dumps("vertical"),
        },
    )


def graph(page: "Page", url: str) -> None:
    """All assets with their groups opened; only the graph, without the page around it."""
    page.set_viewport_size(GRAPH_SIZE)
    opened = ",".join(f"global@global:{group}" for group in GROUPS)
    visit(page, f"{url}/asset-groups?expanded={opened}")
    for name in ("places", "cdrs_voice", "network_logs"):
        page.get_by_text(name, exact=True).last.wait_for()
    page.wait_for_timeout(2000)
    # A double click on the background fits the graph to the page.
    page.mouse.dblclick(420, 130)
    page.wait_for_timeout(2000)
    # Away from the buttons at the right.
    page.mouse.move(420, 130)
    page.mouse.down()
    page.mouse.move(370, 130, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    boxes = page.locator("foreignObject").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    )
    left = min(box["left"] for box in boxes)
    right = max(box["right"] for box in boxes)
    top = min(box["top"] for box in boxes)
    bottom = max(box["bottom"] for box in boxes)
    clip = {
        "x": left - 12,
        "y": top - 12,
        "width": right - left + 24,
        "height": bottom - top + 24,
    }
    page.screenshot(path=IMAGES / "asset-graph.png", clip=clip)
    page.set_viewport_size(SIZE)


def materialisation(page: "Page", url: str) -> None:
    """One partition with its figures, its first rows, and its picture opened."""
    visit(page, f"{url}/assets/cdrs_data?view=partitions&partition={LAST_DAY}")
    page.get_by_text("content_hash").first.wait_for()
    open_picture(page)
    page.screenshot(path=IMAGES / "asset-materialisation.png")


def checks(page: "Page", url: str) -> None:
    """The checks of an asset and the last result of one of them."""
    visit(page, f"{url}/assets/cdrs_voice?view=checks&checkDetail=foreign_keys")
    page.get_by_text("rows_checked").first.wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / "asset-checks.png")


def pictures(page: "Page", url: str) -> None:
    """Pictures themselves, as the assets drew them."""
    for asset, query in (
        ("cells", "view=events"),
        ("places", "view=events"),
        ("cdrs_voice", f"view=partitions&partition={LAST_DAY}"),
    ):
        visit(page, f"{url}/assets/{asset}?{query}")
        source = open_picture(page)
        _, encoded = source.split("base64,", 1)
        (IMAGES / f"picture-{asset}.png").write_bytes(base64.b64decode(encoded))


def open_picture(page: "Page") -> str:
    """Click on the picture's link, which Dagster shows in place of it; return its source."""
    page.get_by_text("[Show Markdown]").first.click()
    image = page.locator("[role=dialog] img, .bp5-dialog img, img[src^='data:image/png']").first
    image.wait_for()
    page.wait_for_timeout(800)
    source = image.get_attribute("src")
    if source is None:
        sys.exit("error: the picture has no source")
    return source


def visit(page: "Page", address: str) -> None:
    """Open a page and wait until it has asked for all that it shows."""
    page.goto(address)
    page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    main()
