"""The card in a chat: in MCP Inspector's web app, and in a host of the official library, which offers
what the Inspector's does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from askfile import Link, Server, png, until
from browser import SCREENSHOTS, Open, photo
from chat import EVERYTHING, Chat, bundle
from inspector import Inspector

PROMPT = "The receipt of Tuesday, please."
SOON = 0.2
"""How late an event may be at most, in seconds."""
DARK = {"theme": "dark", "styles": {"variables": {"--font-sans": "serif"}}}

Show = Callable[..., Chat]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return bundle(tmp_path_factory.mktemp("host"))


@pytest.fixture
def show(server: Server, chromium: Browser, script: bytes) -> Iterator[Show]:
    """Shows cards in chats."""
    chats: list[Chat] = []

    def show_one(*result: Any, **options: Any) -> Chat:
        chats.append(Chat(server, chromium, script, *result, **options))
        return chats[-1]

    yield show_one
    for chat in chats:
        chat.close()


def drop(card: FrameLocator, name: str, data: bytes) -> None:
    """Drops a file onto the card, as the system does."""
    card.locator("body").evaluate(
        """(body, [name, bytes]) => {
          const all = new DataTransfer();
          all.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
          for (const event of ["dragenter", "dragover", "drop"]) {
            const init = { dataTransfer: all, bubbles: true, cancelable: true };
            body.dispatchEvent(new DragEvent(event, init));
          }
        }""",
        [name, list(data)],
    )


def send(chat: Chat) -> None:
    chat.card.get_by_role("button", name="Send", exact=True).click()


def arrived(chat: Chat, *names: str) -> None:
    heading = "Your file has arrived" if len(names) == 1 else "Your files have arrived"
    # Where it cannot follow, it asks every few seconds.
    expect(chat.card.locator(".how")).to_have_text(heading, timeout=10_000)
    for name in names:
        expect(chat.card.locator(".ended .row", has_text=name[-10:])).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_file_is_sent_from_the_chat(server: Server, show: Show, theme: str) -> None:
    chat = show(context={"theme": theme}, color_scheme=theme)
    expect(chat.card.locator("blockquote")).to_have_text(PROMPT)
    expect(chat.card.get_by_text("pictures, videos, sound, documents · up to 50 MB")).to_be_visible()
    chat.shoot(f"{theme}-1-open")
    chat.choose(("a receipt with a rather long name, as phones give them.jpg", photo(1200, 900)))
    chat.shoot(f"{theme}-2-chosen")
    send(chat)
    arrived(chat, "give them.jpg")
    chat.shoot(f"{theme}-3-sent")
    upload = chat.session["upload_id"]
    (told,) = until("the model is told", lambda: chat.asked("context"))
    text = told["content"][0]["text"]
    assert "has sent" in text and f'upload_status(upload_id="{upload}")' in text, text
    (said,) = until("the chat goes on", lambda: chat.asked("message"))
    assert said == {"role": "user", "content": [{"type": "text", "text": "I have sent the file."}]}
    status = server.call("upload_status", upload_id=upload)
    assert status["status"] == "completed"


def test_what_is_dropped_is_sent_and_a_wrong_type_is_said_to_be(show: Show) -> None:
    chat = show(arguments={"prompt": PROMPT, "max_files": 3, "allowed_mime_types": ["image/png"]})
    drop(chat.card, "a.png", png())
    send(chat)
    expect(chat.card.locator(".row", has_text="a.png")).to_contain_text("sent")
    chat.choose(("setup.exe", b"MZ\x90\0\3\0\0\0\4" * 20))
    send(chat)
    expect(chat.card.locator(".row", has_text="setup.exe")).to_contain_text("another type")
    chat.shoot("refused")
    drop(chat.card, "b.png", png(3, 3))
    send(chat)
    expect(chat.card.locator(".row", has_text="b.png")).to_contain_text("sent")
    chat.card.get_by_role("button", name="Done").click()
    arrived(chat, "a.png", "b.png")
    (said,) = until("the chat goes on", lambda: chat.asked("message"))
    assert said["content"][0]["text"] == "I have sent 2 files."


def test_who_declines_says_so_to_the_model(server: Server, show: Show) -> None:
    chat = show()
    chat.card.get_by_text("I do not want to send this").click()
    chat.card.locator("#reason").fill("It is lost.")
    chat.shoot("declining")
    chat.card.get_by_role("button", name="Decline").click()
    expect(chat.card.locator(".how")).to_have_text("This request was declined")
    (told,) = until("the model is told", lambda: chat.asked("context"))
    assert "declined" in told["content"][0]["text"]
    status = server.call("upload_status", upload_id=chat.session["upload_id"])
    assert (status["status"], status["reason"]) == ("declined", "It is lost.")


def test_a_chat_that_is_opened_again_shows_how_it_stands_now(server: Server, show: Show) -> None:
    first = show()
    first.choose(("receipt.jpg", photo()))
    send(first)
    arrived(first, "receipt.jpg")
    again = show(first.result)
    arrived(again, "receipt.jpg")
    server.call("upload_cancel", upload_id=(open_one := show()).session["upload_id"])
    expect(open_one.card.locator(".how")).to_have_text("This request was cancelled")
    later = show(open_one.result)
    expect(later.card.locator(".how")).to_have_text("This request was cancelled")
    # What the model knows already, it is not told again.
    assert not again.asked("message") and not later.asked("context")


def test_a_link_that_another_device_still_sends_to_is_not_over(show: Show) -> None:
    chat = show()
    chat.choose(("receipt.jpg", photo()))
    closed = {"code": "LINK_EXPIRED", "message": "This link has expired."}
    chat.page.route(
        "**/uploads/**",
        lambda route: route.fulfill(status=403, json=closed, headers={"Access-Control-Allow-Origin": "*"})
        if route.request.method in ("PUT", "POST") else route.fallback())
    send(chat)
    expect(chat.card.locator(".row")).to_contain_text("This link has expired")
    assert Link.of(chat.session).send(png(), "there.png").status == 201
    arrived(chat, "there.png")
    until("the model is told", lambda: chat.asked("context"))


def test_what_reorders_or_hides_the_agents_words_is_not_shown(show: Show) -> None:
    chat = show(arguments={"prompt": "a\u202egnp.exe\u200b\nb"})
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    assert chat.card.locator("blockquote").text_content() == "agnp.exe\nb"


def test_an_error_is_said_in_the_chats_language(show: Show) -> None:
    first = show()
    wrong = first.session | {"upload_url": first.session["upload_url"][:-2] + "00"}
    chat = show(first.result | {"structuredContent": wrong}, context={"locale": "ES_mx"})
    expect(chat.card.locator(".how")).to_have_text("Este enlace no está completo")


def how_late(chat: Chat) -> float:
    """How long it takes a card to show that its file has come from elsewhere, in seconds."""
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    card = chat.page.frames[1]
    card.evaluate(
        "new MutationObserver(() => {"
        "  if (document.querySelector('main').dataset.part === 'ended') window.endedAt = Date.now();"
        "}).observe(document.querySelector('main'), { attributes: true })"
    )
    assert Link.of(chat.session).send(png()).status == 201
    sent_at = time.time()
    expect(chat.card.locator(".how")).to_have_text("Your file has arrived")
    # It asks its host for the names before it shows them.
    return card.evaluate("window.endedAt") / 1000 - sent_at


def test_what_another_device_does_is_shown_at_once(show: Show, browse: Open) -> None:
    chat = show()
    page = browse(chat.session["upload_url"])
    expect(page.heading).to_have_text("Send a file")
    # The machine may be busy with other things: once it is not.
    late = [how_late(chat)]
    expect(page.heading).to_have_text("This link has been used")
    while min(late) >= SOON and len(late) < 5:
        late.append(how_late(show()))
    print("the card showed it after", *(f"{seconds * 1000:.0f} ms" for seconds in late))
    assert min(late) < SOON


def test_a_blocked_card_opens_the_page(server: Server, show: Show) -> None:
    chat = show(blocks=True)
    expect(chat.card.get_by_text("This chat does not let the card send files.")).to_be_visible()
    chat.shoot("blocked")
    chat.card.get_by_role("button", name="Open the page").click()
    (opened,) = until("the page is opened", lambda: chat.asked("open"))
    assert opened == {"url": chat.session["upload_url"]}
    # Sent there, it is shown here all the same, by way of the host.
    assert Link.of(chat.session).send(png(), "there.png").status == 201
    arrived(chat, "there.png")
    until("the model is told", lambda: chat.asked("context"))


def test_a_host_that_opens_no_links_shows_the_link(show: Show) -> None:
    chat = show(blocks=True, can={}, context={"locale": "es-MX"})
    expect(chat.card.get_by_text("Este chat no deja que la tarjeta")).to_be_visible()
    expect(chat.card.get_by_text(chat.session["upload_url"])).to_be_visible()
    assert not chat.asked("open") and not chat.asked("call")


def test_a_card_of_a_server_that_is_gone_falls_back_too(server: Server, show: Show) -> None:
    first = show()
    expect(first.card.get_by_text("Choose a file")).to_be_visible()
    result = first.result | {
        "structuredContent": first.session | {"upload_url": "http://127.0.0.1:9/uploads/x?signature=1"}
    }
    chat = show(result, can=EVERYTHING | {"serverTools": None})
    expect(chat.card.get_by_role("button", name="Open the page")).to_be_visible()


def test_a_call_that_failed_says_why(server: Server, show: Show) -> None:
    failed = Chat.call_of(server, "upload_create", {"purpose": "nothing"})
    chat = show(failed)
    expect(chat.card.locator(".how")).to_contain_text("purpose: there is no `nothing`")


def test_it_looks_and_speaks_as_its_host_does(show: Show) -> None:
    chat = show(context=DARK | {"locale": "ar"}, color_scheme="light")
    expect(chat.card.locator("html")).to_have_attribute("dir", "rtl")
    expect(chat.card.get_by_text("اختر ملفًا")).to_be_visible()
    ink = chat.card.locator("body").evaluate("(body) => getComputedStyle(body).color")
    assert ink == "rgb(233, 240, 237)", "dark, whatever the browser likes"
    letters = chat.card.locator("body").evaluate("(body) => getComputedStyle(body).fontFamily")
    assert letters == "serif"
    chat.shoot("dark-arabic")
    chat.page.evaluate("bridge.setHostContext({ theme: 'light' })")
    until("it is light", lambda: chat.card.locator("body").evaluate(
        "(body) => getComputedStyle(body).color") == "rgb(20, 32, 28)")


# The Inspector


@pytest.fixture
def inspector(server: Server, tmp_path: Path) -> Iterator[Inspector]:
    inspector = Inspector(tmp_path, askfile=server.mcp_url)
    yield inspector
    inspector.stop()


def open_card(page: Page, prompt: str) -> FrameLocator:
    page.get_by_role("switch", name="askfile").dispatch_event("click")
    page.get_by_role("radiogroup").get_by_text("Apps", exact=True).click()
    page.get_by_role("button", name="Ask a person for a file Asks").click()
    page.get_by_role("button", name="Close monitoring sidebar").click()
    page.get_by_role("textbox", name="prompt").fill(prompt)
    page.get_by_role("button", name="Open App").click()
    return page.frame_locator("iframe").frame_locator("iframe")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_inspector_shows_the_card(
    inspector: Inspector, chromium: Browser, scheme: str
) -> None:
    page = inspector.open(chromium, color_scheme=scheme)
    card = open_card(page, PROMPT)
    expect(card.locator("blockquote")).to_have_text(PROMPT)
    expect(card.get_by_text("Choose a file")).to_be_visible()
    given = {"name": "receipt.jpg", "mimeType": "", "buffer": photo(1200, 900)}
    card.locator("#media").set_input_files([given])
    page.screenshot(path=SCREENSHOTS / f"card-inspector-{scheme}-1.png")
    card.get_by_role("button", name="Send", exact=True).click()
    expect(card.locator(".how")).to_have_text("Your file has arrived")
    expect(card.locator(".ended .row")).to_contain_text("receipt.jpg")
    page.screenshot(path=SCREENSHOTS / f"card-inspector-{scheme}-2.png")
    page.context.close()


def test_the_inspector_takes_a_drop_and_a_no(inspector: Inspector, chromium: Browser) -> None:
    page = inspector.open(chromium)
    card = open_card(page, PROMPT)
    expect(card.get_by_text("Choose a file")).to_be_visible()
    drop(card, "a.png", png())
    expect(card.locator(".row")).to_contain_text("a.png")
    card.get_by_text("I do not want to send this").click()
    card.get_by_role("button", name="Decline").click()
    expect(card.locator(".how")).to_have_text("This request was declined")
    page.context.close()


def test_the_inspector_opens_the_page_where_it_blocks_the_card(
    inspector: Inspector, chromium: Browser
) -> None:
    page = inspector.open(chromium)
    page.context.route("**/uploads/**", lambda route: route.abort())
    card = open_card(page, PROMPT)
    way_out = card.get_by_role("button", name="Open the page")
    expect(way_out).to_be_visible(timeout=15_000)
    page.context.unroute("**/uploads/**")
    with page.context.expect_page() as opened:
        way_out.click()
    opened.value.locator("#media").set_input_files(
        [{"name": "a.png", "mimeType": "", "buffer": png()}])
    opened.value.get_by_role("button", name="Send", exact=True).click()
    expect(card.locator(".how")).to_have_text("Your file has arrived", timeout=15_000)
    page.context.close()
