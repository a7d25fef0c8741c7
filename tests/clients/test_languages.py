"""The page in Spanish and in Arabic, which is read from right to left."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from askfile import REPOSITORY, Server, png
from browser import DESKTOP, PHONE, Open, Tab, photo

LANGUAGES = {"es": "es-MX", "ar": "ar-EG"}
ENGLISH = re.compile(r"\b(the|you|your|file|files|send|this|link|and|not)\b", re.IGNORECASE)


def texts(language: str) -> Any:
    path = REPOSITORY / "web" / "locales" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def speaks(tab: Tab, language: str) -> None:
    """All of it does: nothing English is left over, and it begins on its side."""
    root = tab.page.locator("html")
    expect(root).to_have_attribute("lang", language)
    expect(root).to_have_attribute("dir", "rtl" if language == "ar" else "ltr")
    left = ENGLISH.findall(tab.page.locator("body").inner_text())
    assert not left, left
    labels = tab.page.evaluate(
        "Array.from(document.querySelectorAll('[aria-label], [alt]'), (one) =>"
        " one.getAttribute('aria-label') ?? one.alt).join(' ')"
    )
    assert not ENGLISH.findall(labels), labels


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_speaks_the_persons_language(
    server: Server, browse: Open, language: str, size: dict[str, int]
) -> None:
    said = texts(language)
    look = {"viewport": size, "locale": LANGUAGES[language], "bypass_csp": True}
    name = f"{language}-{'phone' if size is PHONE else 'desktop'}"
    link = server.ask(prompt="2026-11 · PDF · 3×", max_files=3)
    tab = browse(link.url, **look)
    expect(tab.heading).to_have_text(said["page"]["title_several"])
    speaks(tab, language)
    tab.shoot(f"{name}-1-open")

    tab.choose(("foto de la factura de mayo con un nombre bastante largo.jpg", photo()))
    speaks(tab, language)
    tab.choose(("setup.exe", b"MZ\x90\0\3\0\0\0\4" * 20))
    two = said["script"]["send_several_two" if language == "ar" else "send_several_other"]
    tab.button(two.replace("{n}", "2")).click()
    refused = tab.row("setup.exe")
    expect(refused).to_contain_text(said["problem"]["MIME_NOT_ALLOWED"])
    expect(refused).to_contain_text(said["next"]["MIME_NOT_ALLOWED"])
    speaks(tab, language)
    tab.shoot(f"{name}-2-refused")
    violations = tab.axe()
    tab.button(said["page"]["done"]).click()
    expect(tab.heading).to_have_text(said["outcome"]["sent_one"])
    speaks(tab, language)
    tab.shoot(f"{name}-3-sent")

    sending = browse(server.ask(max_files=2).url, **look)
    sending.choose(("a.jpg", photo(1200, 900)))
    sending.throttle(60_000)
    sending.button(said["script"]["send"]).click()
    left = said["script"]["sending"].rsplit("·", 1)[1].replace("{left}", "").strip()
    expect(sending.row("a.jpg")).to_contain_text(left)
    speaks(sending, language)
    sending.shoot(f"{name}-4-sending")
    sending.button(said["script"]["cancel"]).click()
    expect(sending.row("a.jpg")).to_contain_text(said["script"]["stopped"])

    declined = browse(server.ask().url, **look)
    declined.page.get_by_text(said["page"]["unwilling"]).click()
    declined.button(said["page"]["decline"]).click()
    expect(declined.heading).to_have_text(said["outcome"]["declined"])
    speaks(declined, language)
    declined.shoot(f"{name}-5-declined")
    assert not violations, violations


def test_the_chats_language_comes_before_the_browsers(server: Server, browse: Open) -> None:
    arguments = {"name": "upload_create", "arguments": {}, "_meta": {"openai/locale": "ar"}}
    answer = server.rpc("tools/call", arguments)
    session = json.loads(answer.body)["result"]["structuredContent"]
    assert session["upload_url"] in session["instruction"]
    tab = browse(session["upload_url"], locale="es-ES")
    said = texts("ar")
    expect(tab.heading).to_have_text(said["page"]["title"])
    tab.choose(("a.png", png()))
    tab.button(said["script"]["send"]).click()
    expect(tab.heading).to_have_text(said["outcome"]["sent_one"])


def test_without_scripts_it_speaks_the_same(server: Server, browse: Open) -> None:
    tab = browse(server.ask().url, locale="es-ES", java_script_enabled=False)
    said = texts("es")
    expect(tab.heading).to_have_text(said["page"]["title"])
    tab.choose(("setup.exe", b"MZ\x90\0\3\0\0\0\4" * 20))
    tab.button(said["script"]["send"]).click()
    alert = tab.page.get_by_role("alert")
    expect(alert).to_contain_text(said["problem"]["MIME_NOT_ALLOWED"])
    speaks(tab, "es")
