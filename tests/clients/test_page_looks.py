"""The page in every state: fit for everybody, of one design, and light."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from askfile import REPOSITORY, Link, Server, png, until
from browser import DESKTOP, PHONE, Open, Tab, photo
from wire import http

MOST_BYTES = 60 * 1024
PROMPT = "Please send the receipt of Tuesday.\nA photo of it will do."


@pytest.fixture
def asked(server: Server) -> Any:
    def ask(**arguments: Any) -> Link:
        return server.ask(prompt=PROMPT, **arguments)

    return ask


def states(server: Server, link: Any, open_tab: Any) -> Iterator[tuple[str, Tab]]:
    """Every state of the page, one after the other."""
    yield "open", open_tab(link().url)

    tab = open_tab(link(max_files=3).url)
    tab.choose(("a photo with a rather long name, as phones give them.jpg", photo()))
    yield "chosen", tab
    tab.choose(("setup.exe", b"MZ\x90\0\3\0\0\0\4" * 20))
    tab.button("Send").click()
    expect(tab.row("setup.exe")).to_contain_text("Choose a file of another type.")
    yield "refused", tab
    tab.button("Done").click()
    expect(tab.heading).to_have_text("Your file has arrived")
    yield "sent", tab

    sending = link(max_files=2)
    tab, other = open_tab(sending.url), open_tab(sending.url)
    tab.choose(("a.jpg", photo(1200, 900)), ("b.jpg", photo()))
    tab.throttle(60_000)
    tab.button("Send 2 files").click()
    expect(tab.row("a.jpg")).to_contain_text("left")
    yield "sending", tab
    expect(other.page.get_by_text("A file is arriving")).to_be_visible()
    yield "elsewhere", other
    tab.button("Cancel a.jpg").click()
    expect(tab.row("a.jpg")).to_contain_text("Stopped")
    tab.button("Cancel b.jpg").click()
    expect(tab.row("b.jpg")).to_contain_text("Stopped")
    yield "stopped", tab

    tab = open_tab(link().url)
    tab.page.get_by_text("I do not want to send this").click()
    yield "declining", tab
    tab.button("Decline").click()
    expect(tab.heading).to_have_text("This request was declined")
    yield "declined", tab

    used, cancelled, asked = link(), link(), link()
    assert used.send(png()).status == 201
    yield "used", open_tab(used.url)
    server.rpc("tools/call", {"name": "upload_cancel", "arguments": {"token": cancelled.token}})
    yield "cancelled", open_tab(cancelled.url)
    yield "tampered", open_tab(asked.url + "0")
    yield "unknown", open_tab(f"{server.url}/uploads/nothing")

    tab = open_tab(asked.url, java_script_enabled=False)
    tab.choose(("setup.exe", b"MZ\x90\0\3\0\0\0\4" * 20))
    tab.button("Send").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("a Windows program")
    yield "plain-refused", tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing_in_any_state(
    server: Server, asked: Any, scheme: str, size: dict[str, int], request: pytest.FixtureRequest
) -> None:
    is_phone = size is PHONE
    look = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    name = f"{'phone' if is_phone else 'desktop'}-{scheme}"
    found = []
    # A browser of its own: whether there is a mouse is the whole browser's.
    browser = request.getfixturevalue("fingers" if is_phone else "chromium")
    tabs: list[Tab] = []

    def open_tab(url: str, **options: Any) -> Tab:
        tabs.append(Tab(browser, url, **(look | options)))
        return tabs[-1]

    for number, (state, tab) in enumerate(states(server, asked, open_tab), 1):
        tab.shoot(f"{name}-{number:02}-{state}")
        # Axe is a script: a page without scripts is the same page, seen by other means.
        if state != "plain-refused":
            found += [f"{state}: {violation}" for violation in tab.axe()]
    for tab in tabs:
        tab.close()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [320, 256], ids=["320 px", "400 % of 1024 px"])
def test_nothing_is_cut_off_on_a_narrow_screen(
    server: Server, asked: Any, browse: Open, width: int
) -> None:
    def open_tab(url: str, **options: Any) -> Tab:
        return browse(url, **({"viewport": {"width": width, "height": 640}} | options))

    for state, tab in states(server, asked, open_tab):
        if state == "plain-refused":
            continue
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{state}: {wide} px"
        tab.shoot(f"narrow-{width}-{state}")


def test_who_has_no_mouse_takes_a_photo(server: Server, fingers: Any) -> None:
    photos, papers = server.ask(), server.ask(allowed_mime_types=["application/pdf"])
    tab = Tab(fingers, photos.url, viewport=PHONE)
    expect(tab.page.get_by_text("Take a photo")).to_be_visible()
    expect(tab.page.get_by_text("or drop it")).to_be_hidden()
    tab.page.set_input_files("#camera", [{"name": "a.jpg", "mimeType": "", "buffer": photo()}])
    tab.button("Send").click()
    expect(tab.heading).to_have_text("Your file has arrived")
    tab.close()
    tab = Tab(fingers, papers.url, viewport=PHONE)
    expect(tab.page.get_by_text("Take a photo")).to_have_count(0)
    tab.close()


def test_motion_is_left_out_for_who_wants_none(server: Server, browse: Open) -> None:
    link = server.ask()
    tab = browse(link.url, reduced_motion="reduce")
    tab.choose(("a.png", png()))
    assert tab.page.evaluate("document.getAnimations().length") == 0


def test_the_agents_words_stay_words(server: Server, browse: Open) -> None:
    hostile = "</blockquote><script>alert(1)</script><a href='https://x.example'>https://x.example"
    tab = browse(server.ask(prompt=hostile).url)
    expect(tab.page.locator("blockquote")).to_have_text(hostile)
    assert tab.page.locator("main a").count() == 0
    # Its own, and its texts.
    assert tab.page.locator("script").count() == 2


@pytest.mark.parametrize("settings", [{"public_url": "http://files.example.test"}])
@pytest.mark.parametrize("flags", [["--i-know-this-is-open"]])
def test_a_desktop_shows_the_way_to_a_phone(server: Server, browse: Open) -> None:
    link = server.ask()
    url = link.url.replace("http://files.example.test", server.url)
    tab = browse(url)
    code = tab.page.get_by_alt_text("QR code of this link")
    code.scroll_into_view_if_needed()
    until("it is drawn", lambda: code.evaluate("(image) => image.naturalWidth > 0"))
    tab.shoot("desktop-light-phone")
    narrow = browse(url, viewport=PHONE)
    expect(narrow.page.get_by_alt_text("QR code of this link")).to_be_hidden()


def test_a_link_of_this_machine_shows_no_way_to_a_phone(server: Server, browse: Open) -> None:
    tab = browse(server.ask().url)
    assert tab.page.get_by_alt_text("QR code of this link").count() == 0


def test_the_whole_page_weighs_less_than_60_kb(server: Server, browse: Open) -> None:
    tab = browse(server.ask(prompt=PROMPT, max_files=3).url)
    tab.page.wait_for_load_state("load")
    files = {url for url in tab.requests if "/events" not in url}
    files.add(f"{server.url}/assets/icon.svg")  # Headless browsers fetch none.
    sizes = {url: len(http("GET", url, headers={"accept": "text/html"}).body) for url in files}
    for url, size in sorted(sizes.items(), key=lambda item: item[1]):
        print(f"{size:6} {re.sub('[?].*', '', url).rsplit('/', 1)[-1]}")
    print(f"{sum(sizes.values()):6} in all")
    assert len(files) == 11, files
    assert sum(sizes.values()) < MOST_BYTES
    assets = {path.name for path in Path(REPOSITORY / "web").iterdir() if path.suffix != ".html"}
    # The page for programs is another one; the card is one file.
    assets -= {"docs.css", "card.css", "card.js", "host.js", "locales"}
    assert {url.rsplit("/", 1)[-1] for url in files if "/assets/" in url} == assets


def test_the_first_paint_comes_soon(server: Server, browse: Open) -> None:
    tab = browse(server.ask(prompt=PROMPT).url)
    paint = until(
        "it is painted",
        lambda: tab.page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        ),
    )
    print(f"first contentful paint after {paint:.0f} ms")
    assert paint < 1000
