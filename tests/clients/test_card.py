"""The card, shown by MCP Inspector's web app in Chromium."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from askfile import Link, Server, png, until
from browser import SCREENSHOTS, Open, photo
from inspector import Inspector

PROMPT = "The receipt of Tuesday, please."
SOON = 0.2
"""How late an event may be, in seconds."""


@pytest.fixture
def inspector(server: Server, tmp_path: Path) -> Iterator[Inspector]:
    inspector = Inspector(tmp_path, askfile=server.mcp_url)
    yield inspector
    inspector.stop()


class Card:
    """A card in the Inspector."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.add_init_script(
            "window.heard = [];"
            "addEventListener('message', ({data}) => data?.jsonrpc && heard.push(data));"
        )
        page.reload()
        page.get_by_role("switch", name="askfile").dispatch_event("click")
        page.get_by_role("radiogroup").get_by_text("Apps", exact=True).click()
        page.get_by_role("button", name="Ask a person for a file Asks").click()
        page.get_by_role("button", name="Close monitoring sidebar").click()

    def ask(self, **arguments: Any) -> None:
        """Calls the tool as the model would, and shows what it answers with."""
        for name, value in arguments.items():
            self.page.get_by_role("textbox", name=name).fill(str(value))
        self.page.get_by_role("button", name="Open App").click()

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe").frame_locator("iframe")

    def choose(self, *files: tuple[str, bytes]) -> None:
        given = [{"name": n, "mimeType": "", "buffer": data} for n, data in files]
        self.frame.locator("#media").set_input_files(given)

    def asked(self, method: str) -> list[Any]:
        """What the card asked its host for."""
        heard = self.page.evaluate("heard")
        return [message["params"] for message in heard if message.get("method") == method]

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"card-{name}.png")


@pytest.fixture
def card(inspector: Inspector, chromium: Browser) -> Iterator[Card]:
    page = inspector.open(chromium)
    yield Card(page)
    page.context.close()


def newest(server: Server) -> dict[str, Any]:
    """The session that was made last, as programs see it."""
    from wire import http

    (session, *_) = http("GET", f"{server.url}/v1/uploads").json["items"]
    return session


def test_a_file_is_sent_from_the_chat(server: Server, card: Card) -> None:
    card.ask(prompt=PROMPT)
    frame = card.frame
    expect(frame.locator("blockquote")).to_have_text(PROMPT)
    expect(frame.get_by_text("Choose a file")).to_be_visible()
    card.shoot("1-open")
    card.choose(("receipt.jpg", photo(1200, 900)))
    expect(frame.locator(".row")).to_contain_text("receipt.jpg")
    card.shoot("2-chosen")
    frame.get_by_role("button", name="Send", exact=True).click()
    expect(frame.locator(".how")).to_have_text("Your file has arrived")
    expect(frame.locator(".ended .row")).to_contain_text("receipt.jpg")
    print(card.page.evaluate("heard"))
    card.shoot("3-sent")
    (told,) = until("the model is told", lambda: card.asked("ui/update-model-context"))
    text = told["content"][0]["text"]
    assert "has sent" in text and "upload_status(upload_id=\"upl_" in text, text
    (said,) = until("the chat goes on", lambda: card.asked("ui/message"))
    assert said == {"role": "user", "content": [{"type": "text", "text": "I have sent the file."}]}
