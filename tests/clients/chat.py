"""A chat that shows the card, by the official host library, in Chromium."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, FrameLocator, Page

from askfile import Server, message_of, node_folder
from browser import SCREENSHOTS

CARD = "ui://askfile/card.html"
EVERYTHING = {"openLinks": {}, "serverTools": {}, "updateModelContext": {}, "message": {}}
HTML = """<!doctype html><meta charset="utf-8"><title>A chat</title>
<style>body { margin: 0; max-width: 40rem; background: canvas } iframe { width: 100%; height: 22rem; border: 0 }</style>
<iframe sandbox="allow-scripts" title="card"></iframe>
<script>window.given = GIVEN</script><script type="module" src="/host.js"></script>"""


class Site:
    """Some files on this machine: browsers let no page from elsewhere talk to a server on it."""

    def __init__(self, files: dict[str, tuple[str, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = files.get(self.path, ("text/plain", b""))
                self.send_response(200 if body else 404)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def bundle(folder: Path) -> bytes:
    """The host as one file."""
    # Its packages are found from where they are installed.
    source = node_folder() / "card-host.mjs"
    source.write_bytes((Path(__file__).parent / "typescript" / "card-host.mjs").read_bytes())
    made = folder / "host.js"
    command = ["rolldown", source, "--file", made, "--format", "esm", "--platform", "browser"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made.read_bytes()


class Chat:
    """One that has called a tool and shows its card, in a frame that may do as little as hosts allow."""

    def __init__(
        self,
        server: Server,
        browser: Browser,
        script: bytes,
        result: dict[str, Any] | None = None,
        *,
        can: dict[str, Any] = EVERYTHING,
        blocks: bool = False,
        context: dict[str, Any] | None = None,
        arguments: dict[str, Any] | None = None,
        others: Sequence[dict[str, Any]] = (),
        mute: Sequence[str] = (),
        head: str = "",
        is_hasty: bool = False,
        is_late: bool = False,
        **options: Any,
    ) -> None:
        """`others` are results with cards of their own, below; `mute` is what is never answered; `head` is put
        before all else into a card; who is hasty tells the result before anything else, and who is late
        once `tell_result` is called."""
        read = message_of(server.rpc("resources/read", {"uri": CARD}, {"mcp-name": CARD}))
        (content,) = read["result"]["contents"]
        asked = arguments or {"prompt": "The receipt of Tuesday, please."}
        self.result = result or self.call_of(server, "upload_create", asked)
        self.session = self.result["structuredContent"]
        given = {
            "capabilities": can,
            "context": context or {},
            "card": {"html": content["text"], "meta": content["_meta"]},
            "results": [self.result, *others],
            "input": asked,
            "blocks": blocks,
            "mute": mute,
            "head": head,
            "isHasty": is_hasty,
            "isLate": is_late,
        }
        html = HTML.replace("GIVEN", json.dumps(given).replace("</", "<\\/"))
        self._site = Site({"/": ("text/html", html.encode()), "/host.js": ("text/javascript", script)})
        self.context = browser.new_context(**({"viewport": {"width": 720, "height": 700}} | options))
        self.page: Page = self.context.new_page()
        self.page.expose_function(
            "callTool", lambda call: self.call_of(server, call["name"], call["arguments"])
        )
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(self._site.url)

    @staticmethod
    def call_of(server: Server, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a tool gives, whole."""
        return message_of(server.rpc("tools/call", {"name": tool, "arguments": arguments}))["result"]

    def close(self) -> None:
        """Sees that nothing went wrong in it to the end."""
        self.context.close()
        self._site.stop()
        assert not self.faults, self.faults

    def tell_result(self) -> None:
        self.page.evaluate("tellResult()")

    @property
    def card(self) -> FrameLocator:
        return self.card_at(0)

    def card_at(self, place: int) -> FrameLocator:
        return self.page.frame_locator("iframe").nth(place)

    def choose(self, *files: tuple[str, bytes]) -> None:
        given = [{"name": n, "mimeType": "", "buffer": data} for n, data in files]
        media = self.card.locator("#media")
        # Before it is seen, it takes one file at most.
        media.wait_for()
        media.set_input_files(given)

    def asked(self, method: str) -> list[Any]:
        """What the card has asked the chat for."""
        return [params for what, params in self.page.evaluate("asked") if what == method]

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"card-{name}.png")
