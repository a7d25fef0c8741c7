"""Chromium on the page, as people use it: on a phone or a desktop, in the light or in the dark."""

from __future__ import annotations

import base64
import io
import os
import select
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Playwright, Request

from askfile import REPOSITORY, Link

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FINGERS = (
    "--blink-settings=primaryHoverType=1,availableHoverTypes=1,"
    "primaryPointerType=2,availablePointerTypes=2"
)
"""A screen without a mouse."""

SCREENSHOTS = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "screenshots"


def launch(playwright: Playwright, *flags: str) -> Browser:
    path = shutil.which("chromium")
    assert path, "chromium is missing: tests/run installs it"
    return playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])


def throttle(page: Page, bytes_per_second: int, offline: bool = False) -> None:
    """Lets no more through on the way to servers."""
    conditions = {
        "offline": offline,
        "latency": 0,
        "downloadThroughput": -1,
        "uploadThroughput": bytes_per_second,
    }
    for frame in page.frames:
        # Frames of other origins have processes of their own.
        with suppress(Error):
            session = page.context.new_cdp_session(frame)
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", conditions)


def ends(page: Page, link: str) -> list[str | None]:
    """How the requests end from now on that send files to a link: why they failed, if they did."""
    seen: list[str | None] = []

    def see(request: Request) -> None:
        if request.method == "POST" and request.url == link:
            seen.append(request.failure)

    page.on("requestfailed", see)
    page.on("requestfinished", see)
    return seen


class Tab:
    """A link, opened in a browser of its own. Its page must be without fault to the end."""

    def __init__(self, browser: Browser, url: str, store: str | None = None, **options: Any) -> None:
        """Requests go to the link's origin alone, and to that of a `store`."""
        self.context = browser.new_context(**({"viewport": DESKTOP} | options))
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(url))
        self._known = [origin, f"blob:{origin}"] + ([f"{store}/"] if store else [])
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._see)
        self.page.goto(url)

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused file is no fault of the page's; what its policy forbids is.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def _see(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith(tuple(self._known)):
            self.faults.append(f"a request elsewhere: {request.url}")

    def close(self) -> None:
        self.context.close()
        assert not self.faults, self.faults

    @property
    def heading(self) -> Locator:
        return self.page.locator("h1")

    def row(self, name: str) -> Locator:
        return self.page.locator(".row", has_text=name)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def choose(self, *files: tuple[str, bytes]) -> None:
        given = [{"name": n, "mimeType": "", "buffer": data} for n, data in files]
        self.page.set_input_files("#media", given)

    def hand_over(self, event: str, *files: tuple[str, bytes]) -> None:
        """Drops or pastes files, as the system does."""
        given = [[name, base64.b64encode(data).decode()] for name, data in files]
        self.page.evaluate(
            """async ([event, files]) => {
              const all = new DataTransfer();
              for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                all.items.add(new File([bytes], name, { type: "image/jpeg" }));
              }
              const bubbles = true, cancelable = true;
              if (event === "paste") {
                const init = { clipboardData: all, bubbles, cancelable };
                document.body.dispatchEvent(new ClipboardEvent("paste", init));
              } else {
                const init = { dataTransfer: all, bubbles, cancelable };
                document.body.dispatchEvent(new DragEvent(event, init));
              }
            }""",
            [event, given],
        )

    def throttle(self, bytes_per_second: int, offline: bool = False) -> None:
        throttle(self.page, bytes_per_second, offline)

    def settle(self) -> None:
        """Lets motion end, but for what moves as long as it is seen."""
        self.page.evaluate(
            """Promise.all(document.getAnimations()
              .filter((motion) => motion.effect.getTiming().iterations !== Infinity)
              .map((motion) => motion.finished))"""
        )

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.settle()
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def axe(self) -> list[str]:
        """What axe finds. Needs a context that lets it in past the page's policy."""
        inspector = shutil.which("mcp-inspector")
        assert inspector, "the tools of tests/clients/package.json are not on the PATH"
        script = Path(inspector).parents[1] / "axe-core" / "axe.min.js"
        self.settle()
        self.page.evaluate(script.read_text())
        found = self.page.evaluate("axe.run().then((found) => found.violations)")
        return [
            f"{rule['id']}: {node['html']}: {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]


Open = Callable[..., Tab]


def photo(width: int = 800, height: int = 600, quality: int = 90) -> bytes:
    """A JPEG as a camera makes it, unlike every other, with where it was taken."""
    noise = Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif[0x0112] = 6  # Turned by a quarter.
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


class Wire:
    """A network between the browser and the server, which can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._is_whole = True
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def through(self, link: Link) -> str:
        """The link's address on this wire."""
        return urlsplit(link.url)._replace(netloc=f"127.0.0.1:{self.port}").geturl()

    def cut(self) -> None:
        self._is_whole = False
        for end in self._ends:
            with suppressed():
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._ends.clear()
        self._is_whole = True

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._is_whole:
                near.close()
                continue
            far = socket.create_connection(self._server)
            self._ends += [near, far]
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    @staticmethod
    def _carry(near: socket.socket, far: socket.socket) -> None:
        with near, far, suppressed():
            while True:
                ready, _, _ = select.select([near, far], [], [])
                for end in ready:
                    data = end.recv(65_536)
                    if not data:
                        return
                    (far if end is near else near).sendall(data)


@contextmanager
def suppressed() -> Iterator[None]:
    """A cut wire is no fault here."""
    try:
        yield
    except (OSError, ValueError):
        pass
