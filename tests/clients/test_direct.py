"""The page puts files straight into a real store, and what can go wrong on that way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from askfile import Server, free_address, png, sha256, until
from browser import Open, Tab, photo
from garage import KEY, SECRET, Garage


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Garage]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = Garage(tmp_path / "garage")
    try:
        store.wait()
        yield store
    finally:
        store.stop()


@pytest.fixture
def settings(store: Garage) -> dict[str, str]:
    return store.settings


def put_into(tab: Tab, store: Garage) -> list[str]:
    """The addresses in the store that the page has talked to."""
    return [url for url in tab.requests if url.startswith(f"{store.origin}/files/some/prefix/")]


def test_a_photo_goes_straight_into_the_store_and_is_seen_moving(
    server: Server, store: Garage, browse: Open
) -> None:
    store.let_in(server.url)
    link, data = server.ask(), photo(1200, 900)
    tab = browse(link.url, store=store.origin)
    tab.choose(("receipt.jpg", data))
    tab.page.get_by_label("A note about it").fill("Paid in cash")
    tab.throttle(len(data) // 3)
    tab.button("Send").click()
    bars = tab.row("receipt.jpg").locator("progress")
    seen, has_arrived = set(), False
    while not has_arrived:
        # Between the page and its result there is nothing to look at.
        with suppress(Error):
            seen |= set(bars.evaluate_all("(bars) => bars.map((bar) => bar.value)"))
            has_arrived = tab.page.get_by_text("Your file has arrived").count() > 0
        tab.page.wait_for_timeout(50)
    assert len([value for value in seen if 0 < value < 100]) >= 3, seen
    expect(tab.page.locator("main")).to_contain_text("receipt.jpg")
    [media] = server.status(link)["result"]["media"]
    assert (media["original_sha256"], media["description"]) == (sha256(data), "Paid in cash")
    assert media["original_filename"] == "receipt.jpg"
    assert put_into(tab, store), tab.requests
    assert re.findall("<Key>some/prefix/([a-z]+)/", store.objects) == ["medias"]


def test_several_files_of_which_one_is_refused(
    server: Server, store: Garage, browse: Open
) -> None:
    store.let_in(server.url)
    link = server.ask(max_files=3, allowed_mime_types=["image/*"])
    tab = browse(link.url, store=store.origin)
    windows = b"MZ\x90\0\3\0\0\0\4" * 20
    tab.choose(("a.png", png()), ("b.png", windows), ("c.exe", windows))
    tab.button("Send 3 files").click()
    for name in ("b.png", "c.exe"):
        expect(tab.row(name)).to_contain_text("By its content this file is a Windows program")
    expect(tab.page.get_by_text("1 of 3 files sent", exact=True)).to_be_visible()
    tab.button("Done").click()
    expect(tab.heading).to_have_text("Your file has arrived")
    assert len(set(put_into(tab, store))) == 3, "each by a grant of its own"


def test_where_the_store_lets_no_page_in_the_file_goes_through_askfile(
    server: Server, store: Garage, browse: Open
) -> None:
    link, photos = server.ask(max_files=2), [photo(), photo()]
    tab = browse(link.url, store=store.origin)
    tab.choose(("a.jpg", photos[0]), ("b.jpg", photos[1]))
    tab.button("Send 2 files").click()
    expect(tab.heading).to_have_text("Your files have arrived")
    assert len(set(put_into(tab, store))) == 1, "it was tried once"
    came = {media["original_sha256"] for media in server.status(link)["result"]["media"]}
    assert came == {sha256(data) for data in photos}
    # The browser says why, and nothing else is wrong.
    assert tab.faults and all("CORS policy" in fault for fault in tab.faults), tab.faults
    tab.faults.clear()


class TestAStoreOutOfReach:
    @pytest.fixture
    def settings(self, store: Garage) -> dict[str, str]:
        return store.settings | {"s3_public_endpoint": f"http://{free_address()}"}

    def test_the_file_goes_through_askfile(
        self, server: Server, settings: dict[str, str], browse: Open
    ) -> None:
        link, data = server.ask(), photo()
        tab = browse(link.url, store=settings["s3_public_endpoint"])
        tab.choose(("a.jpg", data))
        tab.button("Send").click()
        expect(tab.heading).to_have_text("Your file has arrived")
        assert server.status(link)["result"]["media"][0]["original_sha256"] == sha256(data)


def test_sending_is_stopped_and_taken_up_again(
    server: Server, store: Garage, browse: Open
) -> None:
    store.let_in(server.url)
    link, data = server.ask(), photo(1200, 900)
    tab = browse(link.url, store=store.origin)
    tab.choose(("a.jpg", data))
    tab.throttle(len(data) // 4)
    tab.button("Send").click()
    expect(tab.row("a.jpg")).to_contain_text("left")
    tab.button("Cancel a.jpg").click()
    expect(tab.row("a.jpg")).to_contain_text("Stopped: nothing was sent.")
    until("the link is free", lambda: server.status(link)["phase"] == "opened")
    tab.throttle(-1)
    tab.button("Try again a.jpg").click()
    expect(tab.heading).to_have_text("Your file has arrived")
    assert server.status(link)["result"]["media"][0]["original_sha256"] == sha256(data)


def test_a_page_that_is_left_gives_its_place_back(
    server: Server, store: Garage, browse: Open
) -> None:
    store.let_in(server.url)
    link, data = server.ask(), photo(1200, 900)
    tab = browse(link.url, store=store.origin)
    tab.choose(("a.jpg", data))
    tab.throttle(len(data) // 20)
    tab.button("Send").click()
    expect(tab.row("a.jpg")).to_contain_text("left")
    tab.page.once("dialog", lambda dialog: dialog.accept())
    tab.page.goto("about:blank")
    until("the link is free", lambda: server.status(link)["phase"] == "opened")
