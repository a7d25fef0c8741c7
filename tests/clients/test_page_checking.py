"""Files that are checked before they count, as people see it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from askfile import Server, png
from browser import DESKTOP, PHONE, Open, Tab
from clamd import EICAR, Clamd
from wire import PATIENCE

# The server waits ten seconds for a verdict, and tries a scanner that is down again after five.
VERDICT = 1_000 * 2 * PATIENCE
WORDS = ("words.txt", b"Harmless words.")
VIRUS = ("plain.txt", EICAR)


@pytest.fixture
def settings(clamd: Clamd) -> dict[str, str]:
    return {"scan_clamd": clamd.address, "scan_timeout": "5s"}


def test_each_file_is_seen_checked_and_then_clean(
    server: Server, clamd: Clamd, browse: Open
) -> None:
    link = server.ask(max_files=3)
    tab, other = browse(link.url), browse(link.url)
    tab.choose(("a.png", png()))
    tab.button("Send").click()
    expect(tab.row("a.png")).to_contain_text("✓ clean")
    expect(tab.button("Done")).to_be_visible()
    clamd.stop()
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.row("words.txt")).to_contain_text("Checking…", timeout=VERDICT)
    expect(tab.button("Done")).to_be_hidden()
    expect(other.page.get_by_text("Another file is being checked.")).to_be_visible()
    expect(other.button("Done")).to_be_hidden()
    clamd.start()
    expect(tab.row("words.txt")).to_contain_text("✓ clean", timeout=VERDICT)
    expect(other.page.get_by_text("2 of 3 files sent", exact=True)).to_be_visible()
    expect(other.page.get_by_text("being checked")).to_be_hidden()
    tab.button("Done").click()
    expect(tab.heading).to_have_text("Your files have arrived")


def test_a_page_stays_until_its_one_file_is_judged(
    server: Server, clamd: Clamd, browse: Open
) -> None:
    clamd.stop()
    tab = browse(server.ask().url)
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.row("words.txt")).to_contain_text("Checking…", timeout=VERDICT)
    expect(tab.button("Send")).to_be_hidden()
    clamd.start()
    expect(tab.heading).to_have_text("Your file has arrived", timeout=VERDICT)


def test_a_blocked_file_says_why_and_makes_room_for_another(server: Server, browse: Open) -> None:
    link = server.ask()
    tab = browse(link.url)
    tab.choose(VIRUS)
    tab.button("Send").click()
    expect(tab.row("plain.txt")).to_contain_text("found something in this file")
    expect(tab.row("plain.txt")).to_contain_text("Send a clean copy")
    expect(tab.button("Try again")).to_be_hidden()
    tab.button("Remove plain.txt").click()
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.heading).to_have_text("Your file has arrived")


def test_a_verdict_that_comes_late_is_seen_too(server: Server, clamd: Clamd, browse: Open) -> None:
    clamd.stop()
    link = server.ask()
    tab = browse(link.url)
    tab.choose(VIRUS)
    tab.button("Send").click()
    expect(tab.row("plain.txt")).to_contain_text("· sent", timeout=VERDICT)
    clamd.start()
    expect(tab.row("plain.txt")).to_contain_text("found something", timeout=VERDICT)
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.heading).to_have_text("Your file has arrived")
    [media] = server.status(link)["result"]["media"]
    assert (media["original_filename"], media["scan_status"]) == ("words.txt", "clean")


def test_without_a_script_the_page_waits_and_tells_its_sender_alone(
    server: Server, clamd: Clamd, browse: Open
) -> None:
    clamd.stop()
    link = server.ask()
    tab = browse(link.url, java_script_enabled=False)
    tab.choose(VIRUS)
    tab.button("Send").click()
    expect(tab.heading).to_have_text("Checking the file", timeout=VERDICT)
    clamd.start()
    expect(tab.page.get_by_role("alert")).to_contain_text("found something", timeout=VERDICT)
    expect(tab.page.get_by_role("alert")).to_contain_text("Send a clean copy")
    other = browse(link.url, java_script_enabled=False)
    expect(other.page.get_by_role("alert")).to_have_count(0)
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.heading).to_have_text("Your file has arrived")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_nothing_while_files_are_checked(
    server: Server, clamd: Clamd, chromium: Any, scheme: str, size: dict[str, int]
) -> None:
    look = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    tab = Tab(chromium, server.ask(max_files=4).url, **look)
    name = f"{'phone' if size is PHONE else 'desktop'}-{scheme}"
    tab.choose(("a.png", png()), ("a text with a rather long name, as people give them.txt", EICAR))
    tab.button("Send 2 files").click()
    expect(tab.button("Done")).to_be_visible()
    tab.shoot(f"{name}-blocked")
    found = tab.axe()
    clamd.stop()
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.row("words.txt")).to_contain_text("· sent", timeout=VERDICT)
    tab.shoot(f"{name}-checking")
    found += tab.axe()
    tab.close()
    assert not found, "\n".join(found)


def test_motion_is_left_out_while_a_file_is_checked(
    server: Server, clamd: Clamd, browse: Open
) -> None:
    clamd.stop()
    tab = browse(server.ask().url, reduced_motion="reduce")
    tab.choose(WORDS)
    tab.button("Send").click()
    expect(tab.row("words.txt")).to_contain_text("Checking…", timeout=VERDICT)
    assert tab.page.evaluate("document.getAnimations().length") == 0
