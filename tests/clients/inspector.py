"""MCP Inspector's web app."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from askfile import free_port, until
from browser import DESKTOP
from wire import http


class Inspector:
    """The Inspector's web app, with these servers in its list, each an address by its name."""

    def __init__(self, home: Path, **servers: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        known = {name: {"type": "streamable-http", "url": url} for name, url in servers.items()}
        catalog = home / "servers.json"
        catalog.write_text(json.dumps({"mcpServers": known}))
        own = {
            "HOME": str(home),
            "CLIENT_PORT": self.url.rpartition(":")[2],
            "MCP_SANDBOX_PORT": "0",
            "MCP_APP_ORIGIN_PORT": "0",
            "MCP_AUTO_OPEN_ENABLED": "false",
            "MCP_INSPECTOR_API_TOKEN": "a-token",
            "MCP_INSPECTOR_SECRET_STORE": "memory",
        }
        self._output = (home / "inspector.log").open("wb")
        self._process = subprocess.Popen(
            ["mcp-inspector", "--web", "--catalog", catalog],
            env=os.environ | own,
            stdout=self._output,
            stderr=self._output,
        )
        until("the Inspector answers", self._is_there)

    def open(self, browser: Browser, **options: Any) -> Page:
        """The app in a browser of its own."""
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        # Its fonts come from elsewhere.
        context.route("https://**", lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{self.url}/?MCP_INSPECTOR_API_TOKEN=a-token")
        return page

    def _is_there(self) -> bool:
        assert self._process.poll() is None, Path(self._output.name).read_text()
        try:
            return http("GET", f"{self.url}/").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()
