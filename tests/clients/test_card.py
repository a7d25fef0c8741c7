"""The card in a chat: in MCP Inspector's web app, and in a host of the official library, which offers
what the Inspector's does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from askfile import Link, Server, png, until
from browser import SCREENSHOTS, Open, ends, photo, throttle
from chat import EVERYTHING, Chat, bundle
from clamd import Impostor, says
from inspector import Inspector
from wire import http

PROMPT = "The receipt of Tuesday, please."
SEVERAL = {"prompt": PROMPT, "max_files": 3}
NOBODY_ASKED = EVERYTHING | {"serverTools": None}
"""What a host can do that lets cards call no tools."""
READABLE = {"Access-Control-Allow-Origin": "*"}
SLOWLY = 20_000
"""What the card gives up after ten seconds is seen within this time, in milliseconds."""
SOON = 0.2
"""How late an event may be at most, in seconds."""
DARK = {"theme": "dark", "styles": {"variables": {"--font-sans": "serif"}}}

Show = Callable[..., Chat]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return bundle(tmp_path_factory.mktemp("host"))


class Judge:
    """A scanner that finds nothing in any file, once it is let speak."""

    def __init__(self) -> None:
        self.may_speak = threading.Event()
        self._scanner = Impostor(self._treat)
        self.address = self._scanner.address

    def _treat(self, connection: socket.socket) -> None:
        self.may_speak.wait(60)
        says(b"stream: OK\0")(connection)

    def stop(self) -> None:
        self.may_speak.set()
        self._scanner.stop()


@pytest.fixture
def judge() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.stop()


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    if "judge" not in request.fixturenames:
        return {}
    address = request.getfixturevalue("judge").address
    return {"scan_clamd": address, "scan_timeout": "60s"}


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


def send(chat: Chat, name: str = "Send") -> None:
    chat.card.get_by_role("button", name=name, exact=True).click()


def decline(card: FrameLocator) -> None:
    unwilling(card)
    card.get_by_role("button", name="Decline").press("Enter")


def unwilling(card: FrameLocator) -> None:
    """Opens what declines. By the keyboard, as what is in it: the frame grows, and a click would miss."""
    card.get_by_text("I do not want to send this").press("Enter")


CUT = """(part) => {
  window.whole = fetch;
  window.fetch = (to, how) =>
    String(to).includes(part) ? Promise.reject(new TypeError("cut")) : whole(to, how);
}"""
MENDED = "() => { window.fetch = window.whole; }"


@contextmanager
def cut_off(chat: Chat, part: str) -> Iterator[None]:
    """Nothing that the card asks for gets through whose address has this part. It is cut inside the frame,
    where nothing slips through."""
    frame = chat.page.frames[1]
    frame.evaluate(CUT, part)
    yield
    frame.evaluate(MENDED)


def answer(status: int, code: str) -> Callable[[Route], None]:
    """What the server could say."""
    said = {"ok": False, "code": code, "message": "This was said in English."}
    return lambda route: route.fulfill(status=status, json=said, headers=READABLE)


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


def test_the_keyboard_is_enough_and_goes_on_where_it_ended(show: Show) -> None:
    chat = show()
    said = chat.card.locator("main > [role=status]")
    expect(said).to_be_attached()
    chat.choose(("receipt.jpg", photo()))
    expect(chat.card.get_by_role("button", name="Send", exact=True)).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chat.card.locator(".how")).to_have_text("Your file has arrived")
    expect(chat.card.locator(".how")).to_be_focused()
    expect(said).to_have_text("Your file has arrived")
    declined = show()
    decline(declined.card)
    expect(declined.card.locator(".how")).to_have_text("This request was declined")
    expect(declined.card.locator(".how")).to_be_focused()


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
    unwilling(chat.card)
    chat.card.locator("#reason").fill("It is lost.")
    chat.shoot("declining")
    chat.card.get_by_role("button", name="Decline").press("Enter")
    expect(chat.card.locator(".how")).to_have_text("This request was declined")
    (told,) = until("the model is told", lambda: chat.asked("context"))
    upload = chat.session["upload_id"]
    text = told["content"][0]["text"]
    assert "declined" in text and f'upload_status(upload_id="{upload}") for the reason' in text, text
    until("the chat goes on", lambda: chat.asked("message"))
    status = server.call("upload_status", upload_id=upload)
    assert (status["status"], status["reason"]) == ("declined", "It is lost.")
    # Who gives no reason has none to be asked for.
    silent = show(can=NOBODY_ASKED)
    decline(silent.card)
    (told,) = until("the model is told", lambda: silent.asked("context"))
    assert "reason" not in told["content"][0]["text"]


def send_slowly(chat: Chat, server: Server) -> list[str | None]:
    """Sends two files, of which the first one takes a minute, and gives how that ends."""
    data = photo(1200, 900)
    chat.choose(("a.jpg", data), ("b.jpg", data))
    throttle(chat.page, len(data) // 60)
    ended = ends(chat.page, chat.session["upload_url"])
    send(chat, "Send 2 files")
    link = Link.of(chat.session)
    until("bytes come", lambda: server.status(link)["phase"] == "receiving")
    expect(chat.card.locator(".row", has_text="b.jpg")).to_contain_text("waiting for its turn")
    return ended


def test_nothing_leaves_after_a_no(server: Server, show: Show) -> None:
    chat = show(arguments=SEVERAL)
    ended = send_slowly(chat, server)
    # Also where nobody hears it.
    unwilling(chat.card)
    button = chat.card.get_by_role("button", name="Decline")
    with cut_off(chat, "/decline"):
        button.press("Enter")
        expect(chat.card.locator(".decline")).to_contain_text("press the button again")
    expect(chat.card.get_by_role("button", name="Send 2 files")).to_be_enabled()
    expect(button).to_be_focused()
    chat.shoot("no-while-sending")
    assert ended == ["net::ERR_ABORTED"]
    button.press("Enter")
    expect(chat.card.locator(".how")).to_have_text("This request was declined")


@pytest.mark.parametrize("how", ["declined", "cancelled"])
def test_nothing_leaves_after_a_no_from_elsewhere(server: Server, show: Show, how: str) -> None:
    chat = show(arguments=SEVERAL)
    ended = send_slowly(chat, server)
    if how == "declined":
        assert http("POST", Link.of(chat.session).sub("decline")).status == 200
    else:
        server.call("upload_cancel", upload_id=chat.session["upload_id"])
    # It is asked every few seconds.
    expect(chat.card.locator(".how")).to_have_text(f"This request was {how}", timeout=SLOWLY)
    until("it is stopped", lambda: chat.page.wait_for_timeout(50) or ended)
    assert ended == ["net::ERR_ABORTED"]
    expect(chat.card.locator(".row[data-state=ready]")).to_have_count(2)


def test_nothing_more_is_sent_to_a_link_that_is_found_used(show: Show) -> None:
    chat = show(arguments=SEVERAL, is_late=True)
    expect(chat.card.get_by_text("Making the link…")).to_be_visible()
    chat.page.route("**/events?*", answer(503, "BUSY"))
    chat.tell_result()
    chat.choose(("a.png", png()), ("b.png", png(3, 3)))
    link = Link.of(chat.session)
    assert link.send(png(), "there.png").status == 201
    assert http("POST", link.sub("done")).status == 200
    ended = ends(chat.page, link.url)
    send(chat, "Send 2 files")
    arrived(chat, "there.png")
    until("the chat goes on", lambda: chat.asked("message"))
    assert len(ended) == 1


def test_what_was_sent_before_a_no_is_not_shown_as_sent(show: Show) -> None:
    chat = show(arguments=SEVERAL)
    chat.choose(("a.png", png()))
    send(chat)
    expect(chat.card.locator(".row", has_text="a.png")).to_contain_text("sent")
    expect(chat.card.locator(".done")).to_be_visible()
    decline(chat.card)
    expect(chat.card.locator(".how")).to_have_text("This request was declined")
    expect(chat.card.locator(".row:visible")).to_have_count(0)


def test_a_button_that_gets_through_to_nobody_says_so_beside_itself(show: Show) -> None:
    chat = show(arguments=SEVERAL)
    chat.choose(("a.png", png()))
    send(chat)
    # What is below moves until the file has arrived.
    expect(chat.card.locator(".done")).to_be_visible()
    unwilling(chat.card)
    for name, place in [("Done", ".done"), ("Decline", ".decline")]:
        button = chat.card.locator(place).get_by_role("button", name=name)
        with cut_off(chat, name.lower()):
            button.press("Enter")
            expect(chat.card.locator(place)).to_contain_text("press the button again")
        chat.shoot(f"cut-{name.lower()}")
    button.press("Enter")
    expect(chat.card.locator(".how")).to_have_text("This request was declined")


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


def test_what_has_ended_is_no_news_where_the_host_blocks_the_card(server: Server, show: Show) -> None:
    first = show()
    first.choose(("receipt.jpg", photo()))
    send(first)
    arrived(first, "receipt.jpg")
    again = show(first.result, blocks=True)
    arrived(again, "receipt.jpg")
    assert not again.asked("message") and not again.asked("context")
    # Where nobody can be asked, the tool may have said it.
    token = {"token": first.session["token"]}
    asked = Chat.call_of(server, "upload_request", token)
    assert asked["structuredContent"]["outcome"] == "uploaded"
    unasked = show(asked, blocks=True, can=NOBODY_ASKED)
    expect(unasked.card.locator(".how")).to_have_text("Your file has arrived")
    assert not unasked.asked("message") and not unasked.asked("context")


def test_of_two_cards_the_one_that_sent_speaks_for_the_person(show: Show) -> None:
    one = show()
    other = show(one.result)
    expect(other.card.get_by_text("Choose a file")).to_be_visible()
    one.choose(("receipt.jpg", photo()))
    send(one)
    arrived(other, "receipt.jpg")
    until("the chat goes on", lambda: one.asked("message"))
    until("the model is told by the other, too", lambda: other.asked("context"))
    # It would come after what the model is told, at once.
    assert not other.asked("message")


def test_a_card_of_files_that_were_deleted_says_that(server: Server, show: Show) -> None:
    first = show()
    assert Link.of(first.session).send(png(), "there.png").status == 201
    arrived(first, "there.png")
    status = server.call("upload_status", upload_id=first.session["upload_id"])
    server.call("media_delete", media_id=status["result"]["media"][0]["media_id"])
    again = show(first.result)
    expect(again.card.locator(".how")).to_have_text("What was sent has been deleted since")
    again.shoot("deleted")


def test_a_card_that_is_opened_again_says_what_is_there_and_what_comes(
    server: Server, show: Show
) -> None:
    first = show(arguments=SEVERAL)
    link = Link.of(first.session)
    line = first.card.locator(".elsewhere")
    refused = link.send(b"MZ\x90\0\3\0\0\0\4" * 20, "setup.exe")
    assert refused.status == 422
    expect(line).to_contain_text("another type")
    expect(show(first.result).card.locator(".elsewhere")).to_contain_text("another type")
    assert link.send(png()).status == 201
    expect(line).to_have_text("1 of 3 files sent")
    where = urlsplit(link.url)
    with socket.create_connection((where.hostname, where.port)) as half:
        head = f"PUT {where.path}?{where.query} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        head += "Content-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
        half.sendall(head.encode() + png())
        expect(line).to_have_text("1 of 3 files sent · A file is arriving from another page.")
        again = show(first.result)
        expect(again.card.locator(".elsewhere")).to_contain_text("is arriving")
        again.shoot("opened-again")
    expect(line).to_have_text("1 of 3 files sent · The file did not arrive whole. Send it once more.")
    expect(first.card.get_by_role("button", name="Done")).to_be_visible()


def test_a_file_is_seen_checked_by_a_card_that_is_opened_again(judge: Judge, show: Show) -> None:
    chat = show(can=NOBODY_ASKED)
    chat.choose(("a.png", png()))
    send(chat)
    expect(chat.card.locator(".row")).to_contain_text("Checking…")
    again = show(chat.result)
    expect(again.card.locator(".elsewhere")).to_have_text("A file is still being checked.")
    expect(again.card.get_by_text("Choose a file")).to_be_hidden()
    again.shoot("checking-again")
    # The server waits ten seconds for a verdict before it answers.
    expect(chat.card.locator(".row")).to_contain_text("· sent", timeout=SLOWLY)
    judge.may_speak.set()
    arrived(again, "a.png")
    arrived(chat, "a.png")
    expect(chat.card.locator(".ended .chip")).to_have_text("✓ clean")


def test_a_verdict_is_heard_by_a_card_that_nobody_looks_at(judge: Judge, show: Show) -> None:
    chat = show()
    chat.choose(("a.png", png()))
    send(chat)
    expect(chat.card.locator(".row")).to_contain_text("· sent", timeout=SLOWLY)
    chat.page.evaluate("document.body.style.paddingTop = '5000px'")
    chat.page.frames[1].evaluate(
        "new Promise((resolve) => new IntersectionObserver(([main]) => main.isIntersecting || resolve())"
        "  .observe(document.querySelector('main')))"
    )
    judge.may_speak.set()
    until("the chat goes on", lambda: chat.asked("message"))


def test_nothing_more_is_taken_with_the_camera_while_the_last_file_is_checked(
    server: Server, judge: Judge, fingers: Browser, script: bytes
) -> None:
    chat = Chat(server, fingers, script)
    photo_button = chat.card.get_by_text("Take a photo")
    expect(photo_button).to_be_visible()
    chat.choose(("a.png", png()))
    send(chat)
    expect(chat.card.locator(".row")).to_contain_text("Checking…")
    expect(photo_button).to_be_hidden()
    chat.close()


def test_an_end_that_is_heard_of_before_the_receipt_waits_for_it(show: Show) -> None:
    chat = show(arguments=SEVERAL, can=NOBODY_ASKED)
    other = show(chat.result)
    chat.choose(("a.png", png()), ("b.png", png(3, 3)))
    send(chat, "Send 2 files")
    expect(other.card.get_by_text("2 of 3 files sent")).to_be_visible()
    card = chat.page.frames[1]
    card.evaluate(
        """() => {
          const late = new Promise((resolve) => { window.receive = resolve; });
          Object.defineProperty(XMLHttpRequest.prototype, "onload", {
            set(act) { this.addEventListener("load", () => late.then(act)); },
          });
        }"""
    )
    chat.choose(("c.png", png(4, 4)))
    send(chat)
    arrived(other, "a.png", "b.png", "c.png")
    card.evaluate("receive()")
    arrived(chat, "a.png", "b.png", "c.png")
    (said,) = until("the chat goes on", lambda: chat.asked("message"))
    assert said["content"][0]["text"] == "I have sent 3 files."


def test_a_file_whose_receipt_is_lost_lets_the_chat_go_on_all_the_same(show: Show) -> None:
    chat = show()
    chat.choose(("receipt.jpg", photo()))

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    chat.page.route("**/uploads/*?*", lose)
    send(chat)
    arrived(chat, "receipt.jpg")
    (said,) = until("the chat goes on", lambda: chat.asked("message"))
    assert said["content"][0]["text"] == "I have sent the file."


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


def test_a_closed_link_that_cannot_be_looked_at_again_is_said_to_be(show: Show) -> None:
    for look in (lambda route: route.abort(), answer(503, "BUSY")):
        chat = show()
        chat.choose(("receipt.jpg", photo()))
        chat.page.route("**/uploads/*/card*", look)
        chat.page.route("**/uploads/*?*", answer(403, "LINK_EXPIRED"))
        send(chat)
        expect(chat.card.locator(".row")).to_contain_text("Ask in the chat for a new one.")
        expect(chat.card.get_by_role("button", name="Try again")).to_be_visible()


def test_the_last_of_several_files_ends_it_without_any_event(show: Show) -> None:
    chat = show(arguments=SEVERAL, is_late=True)
    expect(chat.card.get_by_text("Making the link…")).to_be_visible()
    chat.page.route("**/events?*", answer(503, "BUSY"))
    chat.tell_result()
    chat.choose(("a.png", png()), ("b.png", png(3, 3)), ("c.png", png(4, 4)))
    send(chat, "Send 3 files")
    arrived(chat, "a.png", "b.png", "c.png")


@pytest.mark.parametrize(("count", "height"), [(8, 700), (6, 2_400)], ids=["long", "tall"])
def test_many_cards_in_one_chat_leave_each_other_connections(
    server: Server, show: Show, count: int, height: int
) -> None:
    others = [Chat.call_of(server, "upload_create", {"prompt": PROMPT}) for _ in range(count - 1)]
    chat = show(others=others, viewport={"width": 720, "height": height})
    for place in range(count):
        expect(chat.card_at(place).get_by_text("Choose a file")).to_be_visible()
    chat.choose(("receipt.jpg", photo()))
    send(chat)
    arrived(chat, "receipt.jpg")
    # What is scrolled to follows its link from then on.
    last = chat.card_at(count - 1)
    chat.page.locator("iframe").nth(count - 1).evaluate("(frame) => frame.scrollIntoView()")
    assert Link.of(others[-1]["structuredContent"]).send(png(), "there.png").status == 201
    expect(last.locator(".how")).to_have_text("Your file has arrived")


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
    # Not when that was seen here, which takes some time.
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
    until("the chat goes on", lambda: chat.asked("message"))


def test_a_host_that_has_messages_alone_hears_what_came_from_elsewhere(show: Show) -> None:
    chat = show(can={"serverTools": {}, "message": {}})
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    assert Link.of(chat.session).send(png(), "there.png").status == 201
    (said,) = until("the chat goes on", lambda: chat.asked("message"))
    assert said["content"][0]["text"] == "I have sent the file."


def test_a_host_that_opens_no_links_shows_the_link(show: Show) -> None:
    chat = show(blocks=True, can={}, context={"locale": "es-MX"})
    expect(chat.card.get_by_text("Este chat no deja que la tarjeta")).to_be_visible()
    expect(chat.card.get_by_text(chat.session["upload_url"])).to_be_visible()
    expect(chat.card.locator(".open-page")).to_be_hidden()
    chat.shoot("no-links")
    assert not chat.asked("open") and not chat.asked("call")


def test_a_server_that_comes_back_is_reached(show: Show) -> None:
    tries: list[Route] = []

    def first_silent_then_away(route: Route) -> None:
        tries.append(route)
        if len(tries) == 2:
            route.abort()
        elif len(tries) > 2:
            route.fallback()

    chat = show(can=NOBODY_ASKED, is_late=True)
    expect(chat.card.get_by_text("Making the link…")).to_be_visible()
    chat.page.route("**/card?*", first_silent_then_away)
    chat.tell_result()
    expect(chat.card.get_by_text("The server does not answer.")).to_be_visible(timeout=SLOWLY)
    chat.shoot("unreached")
    expect(chat.card.get_by_text("Choose a file")).to_be_visible(timeout=SLOWLY)
    chat.choose(("receipt.jpg", photo()))
    send(chat)
    arrived(chat, "receipt.jpg")


def test_a_card_of_a_server_that_is_gone_falls_back_too(server: Server, show: Show) -> None:
    first = show()
    expect(first.card.get_by_text("Choose a file")).to_be_visible()
    result = first.result | {
        "structuredContent": first.session | {"upload_url": "http://127.0.0.1:9/uploads/x?signature=1"}
    }
    chat = show(result, can=NOBODY_ASKED)
    expect(chat.card.get_by_role("button", name="Open the page")).to_be_visible()


def test_a_call_that_failed_says_why(server: Server, show: Show) -> None:
    failed = Chat.call_of(server, "upload_create", {"purpose": "nothing"})
    chat = show(failed)
    expect(chat.card.locator(".how")).to_contain_text("purpose: there is no `nothing`")
    # The server says it in English.
    spanish = show(failed, context={"locale": "es"})
    expect(spanish.card.locator(".how")).to_have_text("No se pudo crear el enlace.")


def test_a_call_about_a_closed_link_says_in_any_language_how_it_was_closed(
    server: Server, show: Show
) -> None:
    server.call("upload_cancel", token=(token := server.ask().token))
    closed = Chat.call_of(server, "upload_request", {"token": token})
    assert closed["isError"]
    said = {"es": "Esta solicitud fue cancelada", "ar": "أُلغي هذا الطلب", "en": "This request was cancelled"}
    for locale, words in said.items():
        chat = show(closed, context={"locale": locale})
        expect(chat.card.locator(".how")).to_have_text(words)
        chat.shoot(f"closed-{locale}")
        assert not chat.asked("context")


def test_a_host_that_answers_nothing_holds_up_nothing(show: Show) -> None:
    chat = show(mute=["call", "context"])
    chat.choose(("receipt.jpg", photo()))
    send(chat)
    arrived(chat, "receipt.jpg")
    until("the model is told", lambda: chat.asked("context"), SLOWLY / 1_000)
    until("the chat goes on", lambda: chat.asked("message"))


def test_a_host_that_is_hasty_is_understood(show: Show) -> None:
    chat = show(is_hasty=True, context={"locale": "es"}, blocks=True)
    expect(chat.card.get_by_text("Este chat no deja que la tarjeta")).to_be_visible()
    # What it can do is known by then.
    assert chat.asked("call")
    open_one = show(is_hasty=True, context={"locale": "es"})
    expect(open_one.card.get_by_text("Elegir un archivo")).to_be_visible()


def test_what_a_host_puts_before_the_card_does_it_no_harm(show: Show) -> None:
    chat = show(head="<style>body { color: red }</style>", context={"theme": "dark"}, color_scheme="light")
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    ink = chat.card.locator("body").evaluate("(body) => getComputedStyle(body).color")
    assert ink == "rgb(233, 240, 237)", "dark"


def test_later_calls_and_what_makes_no_sense_change_nothing(server: Server, show: Show) -> None:
    chat = show()
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    chat.page.evaluate("bridge.sendToolInput({ arguments: { upload_id: 'x', prompt: 'Another' } })")
    chat.page.evaluate("bridge.sendToolCancelled({ reason: 'x' })")
    answered = chat.page.evaluate(
        """() => new Promise((resolve) => {
          addEventListener("message", ({ data }) => data.id === "odd" && resolve(data));
          const odd = { jsonrpc: "2.0", id: "odd", method: "something/odd" };
          document.querySelector("iframe").contentWindow.postMessage(odd, "*");
        })"""
    )
    assert answered["error"]["code"] == -32601
    expect(chat.card.locator("blockquote")).to_have_text(PROMPT)
    expect(chat.card.get_by_text("Choose a file")).to_be_visible()
    # A prompt that is no text makes the call fail, which the card says.
    odd = {"prompt": 7}
    failed = show(Chat.call_of(server, "upload_create", odd), arguments=odd)
    expect(failed.card.locator(".how")).not_to_be_empty()


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


def test_the_inspector_takes_a_drop_and_shows_it_moving(
    inspector: Inspector, chromium: Browser
) -> None:
    page = inspector.open(chromium)
    card, data = open_card(page, PROMPT), photo(1200, 900)
    expect(card.get_by_text("Choose a file")).to_be_visible()
    drop(card, "a.jpg", data)
    expect(card.locator(".row")).to_contain_text("a.jpg")
    throttle(page, len(data) // 5)
    card.get_by_role("button", name="Send", exact=True).click()
    assert len([value for value in shown_until_sent(card) if 0 < value < 100]) >= 3
    expect(card.locator(".ended .row")).to_contain_text("a.jpg")
    page.context.close()


def shown_until_sent(card: FrameLocator) -> set[float]:
    """What the bar of a file shows on its way."""
    values: set[float] = set()

    def look() -> bool:
        values.update(card.locator("progress").evaluate_all("(bars) => bars.map(({ value }) => value)"))
        return card.get_by_text("Your file has arrived").first.is_visible()

    until("the file has arrived", look)
    return values


def test_the_inspector_takes_a_no(inspector: Inspector, chromium: Browser) -> None:
    page = inspector.open(chromium)
    card = open_card(page, PROMPT)
    expect(card.get_by_text("Choose a file")).to_be_visible()
    decline(card)
    expect(card.locator(".how")).to_have_text("This request was declined")
    page.context.close()


def test_the_inspector_opens_the_page_where_it_blocks_the_card(
    inspector: Inspector, chromium: Browser
) -> None:
    page = inspector.open(chromium)
    page.add_init_script(f'if (self !== top) ({CUT})("/uploads/");')
    page.reload()
    card = open_card(page, PROMPT)
    way_out = card.get_by_role("button", name="Open the page")
    expect(way_out).to_be_visible(timeout=15_000)
    for frame in page.frames[1:]:
        frame.evaluate(MENDED)
    with page.context.expect_page() as opened:
        way_out.click()
    opened.value.locator("#media").set_input_files(
        [{"name": "a.png", "mimeType": "", "buffer": png()}])
    opened.value.get_by_role("button", name="Send", exact=True).click()
    expect(card.locator(".how")).to_have_text("Your file has arrived", timeout=15_000)
    page.context.close()
