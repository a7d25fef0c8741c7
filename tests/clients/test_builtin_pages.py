"""The pages on which people let clients in: fit for everybody, with and without a mouse or scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Route, expect

from askfile import Server
from browser import DESKTOP, PHONE, Open, Tab
from consent import Visit, WayBack, address, register, sign_in_code, type_code

LONG = "A client whose name is as long as names may be, though_nobody_would_ever_give_it"


@pytest.fixture
def flags() -> list[str]:
    return ["--auth", "builtin"]


@pytest.fixture
def chat(server: Server, way_back: WayBack) -> str:
    """Where a client leads people."""
    return address(server, register(server, "Chat", way_back.address), way_back.address)


def stay(route: Route) -> None:
    """Lets a page lead on to nothing, so that it stays."""
    route.fulfill(status=204)


def states(
    server: Server, folder: Path, way_back: WayBack, name: str, open_tab: Callable[[str], Tab]
) -> Iterator[tuple[str, Tab]]:
    """Every state of the pages for a client of this name, one after the other."""
    client = register(server, name, way_back.address)
    tab = open_tab(address(server, client, way_back.address))
    expect(tab.heading).to_have_text(f"Connect {name} to askfile")
    yield "sign-in", tab
    type_code(tab.page, "7K3M-Q2XD-90TF")
    expect(tab.page.get_by_role("alert")).to_contain_text("This code is not taken")
    yield "wrong-code", tab
    type_code(tab.page, sign_in_code(folder))
    expect(tab.heading).to_have_text(f"Let {name} in?")
    yield "consent", tab
    tab.page.route(f"{way_back.url}/**", stay)
    tab.button("Allow").click()
    expect(tab.heading).to_have_text(f"{name} is connected")
    yield "connected", tab

    tab = open_tab(address(server, client, way_back.address, response_type="token"))
    expect(tab.heading).to_have_text(f"{name} is not connected")
    yield "turned-back", tab
    tab = open_tab(address(server, client, "https://elsewhere.example/"))
    expect(tab.heading).to_have_text("That did not work")
    yield "turned-away", tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing_in_any_state(
    server: Server,
    way_back: WayBack,
    tmp_path: Path,
    scheme: str,
    size: dict[str, int],
    browse: Open,
) -> None:
    def open_tab(url: str) -> Tab:
        options: Any = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
        return browse(url, store=way_back.url, **options)

    look = f"{'phone' if size is PHONE else 'desktop'}-{scheme}"
    found = []
    seen = states(server, tmp_path, way_back, "ChatGPT", open_tab)
    for number, (state, tab) in enumerate(seen, 1):
        tab.shoot(f"builtin-{look}-{number}-{state}")
        found += [f"{state}: {violation}" for violation in tab.axe()]
    assert not found, "\n".join(found)


def test_nothing_is_cut_off_on_a_narrow_screen(
    server: Server, way_back: WayBack, tmp_path: Path, browse: Open
) -> None:
    def open_tab(url: str) -> Tab:
        return browse(url, store=way_back.url, viewport={"width": 256, "height": 640})

    for state, tab in states(server, tmp_path, way_back, LONG, open_tab):
        tab.shoot(f"builtin-narrow-{state}")
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 256, f"{state}: {wide} px"


def test_the_keyboard_is_enough(
    server: Server, chat: str, way_back: WayBack, tmp_path: Path, browse: Open
) -> None:
    tab = browse(chat, store=way_back.url)
    keyboard = tab.page.keyboard
    expect(tab.page.get_by_label("Sign-in code")).to_be_focused()
    keyboard.type(sign_in_code(tmp_path).lower().replace("-", " "))
    keyboard.press("Enter")
    expect(tab.heading).to_have_text("Let Chat in?")
    keyboard.press("Tab")
    expect(tab.button("Allow")).to_be_focused()
    keyboard.press("Enter")
    answer = dict(parse_qsl(way_back.answer()))
    assert set(answer) == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("a state", server.url)


def test_scripts_are_not_needed(
    chat: str, way_back: WayBack, tmp_path: Path, browse: Open
) -> None:
    tab = browse(chat, store=way_back.url, java_script_enabled=False)
    type_code(tab.page, "not a code")
    expect(tab.page.get_by_role("alert")).to_be_visible()
    type_code(tab.page, sign_in_code(tmp_path))
    tab.button("Allow").click()
    assert dict(parse_qsl(way_back.answer()))["code"]


@pytest.mark.parametrize("is_signed_in", [False, True], ids=["at once", "after the code"])
def test_who_cancels_lets_nobody_in(
    server: Server,
    chat: str,
    way_back: WayBack,
    tmp_path: Path,
    browse: Open,
    is_signed_in: bool,
) -> None:
    tab = browse(chat, store=way_back.url)
    if is_signed_in:
        type_code(tab.page, sign_in_code(tmp_path))
        expect(tab.heading).to_have_text("Let Chat in?")
    tab.page.get_by_role("link", name="Cancel").click()
    answer = dict(parse_qsl(way_back.answer()))
    assert "code" not in answer
    said = (answer["error"], answer["state"], answer["iss"])
    assert said == ("access_denied", "a state", server.url)


def test_a_page_that_leads_on_to_an_app_can_be_pressed_too(
    server: Server, way_back: WayBack, tmp_path: Path, browse: Open
) -> None:
    """Browsers ask people first, or want a click, before they start an app."""
    redirect = "com.example.chat:/oauth"
    client = register(server, "A chat app", redirect)
    tab = browse(address(server, client, redirect), store="com.example.chat:")
    expect(tab.page.get_by_text("an app on this device")).to_be_visible()
    type_code(tab.page, sign_in_code(tmp_path))
    tab.button("Allow").click()
    expect(tab.heading).to_have_text("A chat app is connected")
    button = tab.page.get_by_role("link", name="Go back to A chat app")
    assert str(button.get_attribute("href")).startswith(f"{redirect}?code=")


def test_people_read_what_they_allow(
    server: Server, chat: str, way_back: WayBack, tmp_path: Path, browse: Open
) -> None:
    code = sign_in_code(tmp_path, "--allow", "asset:upload, media:read")
    tab = browse(chat, store=way_back.url)
    expect(tab.page.get_by_role("listitem")).to_have_count(4)
    type_code(tab.page, code)
    expect(tab.heading).to_have_text("Let Chat in?")
    told = tab.page.get_by_role("listitem")
    expect(told).to_have_text(["Ask people for files", "See and fetch the files"])
    for name in ("Ana", "Chat", "Default workspace"):
        expect(tab.page.locator("strong", has_text=name).first).to_be_visible()
    other = browse(chat, store=way_back.url)
    type_code(other.page, code)
    expect(other.page.get_by_role("alert")).to_contain_text("used before")


WRONG = {
    "unsupported_response_type": {"response_type": "token"},
    "invalid_request": {"code_challenge_method": "plain"},
    "invalid_scope": {"scope": "everything"},
    "invalid_target": {"resource": "https://elsewhere.example/mcp"},
}


def test_a_wrong_request_leads_nobody_on_by_itself(server: Server) -> None:
    redirect = "https://chat.example/back"
    client = register(server, "Chat", redirect)
    for error, wrong in WRONG.items():
        screen = Visit(address(server, client, redirect, **wrong)).screen
        assert (screen.status, screen.leads_to) == (400, None), error
        to, _, query = screen.links[0].partition("?")
        answer = dict(parse_qsl(query))
        told = (to, answer["error"], answer["state"], answer["iss"])
        assert told == (redirect, error, "a state", server.url)
    strangers = [("nobody", redirect), (client, "https://elsewhere.example/back")]
    for stranger, elsewhere in strangers:
        screen = Visit(address(server, stranger, elsewhere)).screen
        assert screen.status >= 400
        assert (screen.leads_to, screen.links) == (None, [])
