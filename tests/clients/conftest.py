"""One server for each test, and an agent of each kind, in each protocol era, on each transport."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent import LEGACY, MODERN, Agent, Way
from agent_python import ERAS, LIBRARY, PythonAgent
from agent_typescript import TypeScriptAgent
from askfile import Server
from clamd import Clamd
from consent import WayBack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from browser import Open, Tab, Wire

# All that is talked to is on this machine, whatever proxy the machine has.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def may_mount() -> bool:
    """Whether this account may have disks of its own; inside some containers nobody may."""
    mount = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(mount, capture_output=True).returncode == 0


collect_ignore = [] if may_mount() else ["test_disk.py", "test_import_names.py"]
if os.geteuid() != 0:
    # Names are asked for at a port that is root's.
    collect_ignore.append("test_import_names.py")


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the server, for tests that want other ones: parametrise it."""
    return {}


@pytest.fixture
def flags() -> list[str]:
    """Flags of the server, likewise."""
    return []


@pytest.fixture
def server(tmp_path: Path, settings: dict[str, str], flags: list[str]) -> Iterator[Server]:
    server = Server(tmp_path, *flags, **settings)
    try:
        yield server
    finally:
        print(server.output)  # Shown if the test fails.
        server.stop()


@pytest.fixture
def clamd(tmp_path: Path) -> Iterator[Clamd]:
    """A running scanner."""
    clamd = Clamd(tmp_path / "clamav")
    clamd.start()
    yield clamd
    clamd.stop()


Kind = Callable[[Way], Agent]


def kinds() -> Iterator[tuple[str, Kind]]:
    """Clients that are installed; those in TypeScript once, beside the newest one in Python."""
    for era in ERAS:
        yield f"{LIBRARY}-{era}", partial(PythonAgent, era=era)
    if LIBRARY == "python-2":
        yield "typescript-1", partial(TypeScriptAgent, "agent-v1.mjs", era=LEGACY)
        yield "typescript-2", partial(TypeScriptAgent, "agent-v2.mjs", era=MODERN)


AGENTS = [
    pytest.param((kind, transport), id=f"{name}-{transport}")
    for name, kind in kinds()
    for transport in ("http", "stdio")
]


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest, server: Server) -> Iterator[Agent]:
    kind, transport = request.param
    with kind(way=getattr(server, transport)) as agent:
        yield agent


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    from playwright.sync_api import sync_playwright  # Not there for SDK v1, nor needed.

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    from browser import launch

    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def fingers(playwright: Playwright) -> Iterator[Browser]:
    """Chromium on a screen without a mouse."""
    from browser import FINGERS, launch

    browser = launch(playwright, FINGERS)
    yield browser
    browser.close()


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Open]:
    """Opens links, each in a browser of its own, and sees that nothing was wrong with any."""
    from browser import Tab

    tabs: list[Tab] = []

    def browse(url: str, **options: Any) -> Tab:
        tabs.append(Tab(chromium, url, **options))
        return tabs[-1]

    yield browse
    for tab in tabs:
        tab.close()


@pytest.fixture
def way_back() -> Iterator[WayBack]:
    """Where people are led back to who let a client in."""
    way_back = WayBack()
    yield way_back
    way_back.close()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    from browser import Wire

    wire = Wire(server.url)
    yield wire
    wire.close()
