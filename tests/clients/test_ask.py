"""`askfile ask`, in a real terminal and without one."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from askfile import (
    BINARY,
    Link,
    Page,
    Server,
    environment,
    free_address,
    large_text,
    png,
    run,
    sha256,
    until,
)
from wire import connect, http, read_answer, request

LINK = re.compile(r"http://\S+/uploads/\S+signature=[0-9a-f]{64}")
UPLOADED, WRONG_USAGE, DECLINED, TIMED_OUT, INTERRUPTED = 0, 2, 3, 4, 130
QR = re.compile("[█▀▄]{10}")


class Terminal:
    """A terminal, wide enough for a link."""

    def __init__(self, folder: Path, command: str, env: dict[str, str]) -> None:
        self._out = folder / "out.json"
        # A socket's path must be shorter than a test's folder may be.
        self._socket = str(Path(tempfile.gettempdir(), f"tmux-{uuid.uuid4().hex}"))
        shell = f"{command} >{shlex.quote(str(self._out))}; echo ended with $?; exec sleep 60"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "250", "-y", "60", shell, env=env)

    def _tmux(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", self._socket, *arguments],
            env=env,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-J")

    def link(self) -> Link:
        return link_of(until("the link", lambda: LINK.search(self.screen)).group())

    def shows(self, words: str) -> None:
        until(words, lambda: words in self.screen)

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def exit_code(self) -> int:
        ended = until("its end", lambda: re.search(r"ended with (\d+)", self.screen))
        return int(ended.group(1))

    @property
    def output(self) -> str:
        """What went to standard output."""
        return self._out.read_text()

    def close(self) -> None:
        self._tmux("kill-server")
        Path(self._socket).unlink(missing_ok=True)


def link_of(url: str) -> Link:
    return Link(url, urlsplit(url).path.rpartition("/")[2], "")


class Asking:
    """`askfile ask` on a data folder, with and without a server beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = environment(folder, listen=free_address())
        self._stack = ExitStack()

    def server(self) -> Server:
        server = Server(self.folder, listen=self.env["ASKFILE_LISTEN"])
        self._stack.callback(server.stop)
        return server

    def in_terminal(self, *arguments: str) -> Terminal:
        command = shlex.join([str(BINARY), "ask", "A photo of the receipt, please", *arguments])
        terminal = Terminal(self.folder, f"cd {shlex.quote(str(self.folder))}; {command}", self.env)
        self._stack.callback(terminal.close)
        return terminal

    def piped(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [BINARY, "ask", "A photo of the receipt, please", *arguments],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._stack.callback(process.kill)
        return process

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    asking = Asking(tmp_path)
    try:
        yield asking
    finally:
        asking.close()


def state(link: Link) -> str:
    """How the link stands, at the server beside."""
    return link.facts()["status"]


def test_in_a_terminal_it_shows_the_link_and_the_file_comes_as_json(asking: Asking) -> None:
    terminal = asking.in_terminal("--accept", "image/*", "--max-size", "1MB")
    link = terminal.link()
    facts = link.facts()
    assert facts["prompt"] == "A photo of the receipt, please"
    assert facts["limits"]["max_size_bytes"] == 1 << 20
    assert all(kind.startswith("image/") for kind in facts["limits"]["allowed_mime_types"])
    terminal.shows("Waiting for somebody to open the link")
    Page.open(link.url)
    terminal.shows("The page is open")
    assert link.send(b"just words").status == 422
    terminal.shows("the last try was refused")
    assert not QR.search(terminal.screen), "no phone can follow a link to this machine alone"
    photo = png()
    assert link.send(photo).status == 201
    last = http("GET", link.url, headers={"accept": "text/html"})
    assert last.is_html, "the sender's browser still shows how it ended"
    assert terminal.exit_code() == UPLOADED
    answer = json.loads(terminal.output)
    [media] = answer["media"]
    assert media["sha256"] == sha256(photo) and answer["handles"]["media"]
    assert "saved" not in answer


def test_in_a_terminal_it_shows_how_much_has_come(asking: Asking) -> None:
    terminal = asking.in_terminal()
    link = terminal.link()
    text = large_text(4 << 20)
    head, [body] = request("PUT", link.url, text)
    with connect(link.url) as connection:
        connection.sendall(head + body[: 1 << 20])
        terminal.shows("A file is arriving")
        terminal.shows("1.00 MiB of 4.00 MiB")
        connection.sendall(body[1 << 20 : 3 << 20])
        terminal.shows("3.00 MiB of 4.00 MiB")
        connection.sendall(body[3 << 20 :])
        assert read_answer(connection, "PUT").status == 201
    assert terminal.exit_code() == UPLOADED
    assert "A file is arriving" not in terminal.screen, "what was shown meanwhile is wiped"


def test_who_has_begun_to_send_is_not_cut_off_by_the_time(asking: Asking) -> None:
    process = asking.piped("--timeout", "1s")
    link = piped_link(process)
    text = large_text(100_000)
    head, [body] = request("PUT", link.url, text)
    with connect(link.url) as connection:
        connection.sendall(head + body[:50_000])
        time.sleep(2)
        connection.sendall(body[50_000:])
        assert read_answer(connection, "PUT").status == 201
    process.communicate(timeout=20)
    assert process.returncode == UPLOADED


def test_files_are_saved_under_their_names_and_none_is_overwritten(asking: Asking) -> None:
    folder = asking.folder / "new" / "receipts"
    photos = [png(), png(), png()]
    for sent in (photos[:2], photos[2:]):
        process = asking.piped("--output", str(folder), "--max-files", str(len(sent)))
        link = piped_link(process)
        for photo in sent:
            assert link.send(photo, "../../photo.png").status == 201
        out, _ = process.communicate(timeout=20)
        assert process.returncode == UPLOADED
        saved = [Path(path) for path in json.loads(out)["saved"]]
        assert [path.read_bytes() for path in saved] == sent
    names = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert names == dict(zip(["photo.png", "photo (2).png", "photo (3).png"], photos, strict=True))


def piped_link(process: subprocess.Popen[str]) -> Link:
    """Reads on until there is a link."""
    for line in process.stderr:
        if found := LINK.search(line):
            return link_of(found.group())
    raise AssertionError(f"it ended with {process.wait()} and gave no link")


def test_piped_it_says_each_change_in_a_line(asking: Asking) -> None:
    process = asking.piped()
    link = piped_link(process)
    Page.open(link.url)
    assert any(line == "The page is open\n" for line in process.stderr)
    assert link.send(png()).status == 201
    out, err = process.communicate(timeout=20)
    assert process.returncode == UPLOADED and json.loads(out)["media"]
    assert "\x1b" not in err and "\r" not in err and not QR.search(err)


def test_a_person_who_declines_ends_it(asking: Asking) -> None:
    terminal = asking.in_terminal()
    link = terminal.link()
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    assert http("POST", link.sub("decline"), b"reason=I+have+none", urlencoded).status == 200
    assert terminal.exit_code() == DECLINED
    assert "The person declined: I have none" in terminal.screen
    assert terminal.output == ""


@pytest.mark.parametrize(
    ("flags", "then"), [([], "cancelled"), (["--keep"], "pending")], ids=["closed", "kept"]
)
def test_when_the_time_is_over_the_link_is_closed_unless_kept(
    asking: Asking, flags: list[str], then: str
) -> None:
    server = asking.server()
    terminal = asking.in_terminal("--timeout", "1s", *flags)
    link = terminal.link()
    assert link.url.startswith(server.url), "it uses the server that runs"
    assert terminal.exit_code() == TIMED_OUT
    assert state(link) == then


def test_ctrl_c_closes_the_link(asking: Asking) -> None:
    server = asking.server()
    terminal = asking.in_terminal()
    link = terminal.link()
    assert state(link) == "pending"
    terminal.press("C-c")
    assert terminal.exit_code() == INTERRUPTED
    assert state(link) == "cancelled"
    assert link.send(png()).json["code"] == "CANCELLED"


def test_an_upload_through_a_running_server_ends_it(asking: Asking) -> None:
    server = asking.server()
    process = asking.piped()
    link = piped_link(process)
    assert link.url.startswith(server.url)
    assert link.send(png()).status == 201
    # It serves no page of its own that it would have to leave up for the sender.
    out, _ = process.communicate(timeout=1.5)
    assert process.returncode == UPLOADED and json.loads(out)["media"]


def test_of_two_that_ask_the_second_takes_the_page_over(asking: Asking) -> None:
    first, second = asking.piped(), asking.piped()
    links = [piped_link(first), piped_link(second)]
    base = f"http://{asking.env['ASKFILE_LISTEN']}/"
    assert all(link.url.startswith(base) for link in links)
    assert links[0].send(png()).status == 201
    first.communicate(timeout=20)
    assert first.returncode == UPLOADED
    until("the page is back", lambda: links[1].is_served, 2)
    assert links[1].send(png()).status == 201
    second.communicate(timeout=20)
    assert second.returncode == UPLOADED


def test_where_no_page_can_be_served_it_says_why(asking: Asking) -> None:
    asking.env["ASKFILE_LISTEN"] = "203.0.113.9:8787"
    process = asking.piped()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert "askfile: cannot listen on 203.0.113.9:8787" in err and not LINK.search(err)


def test_a_phone_in_the_network_reaches_the_page_and_nothing_else(asking: Asking) -> None:
    terminal = asking.in_terminal("--lan")
    link = terminal.link()
    terminal.shows("Waiting for somebody to open the link")
    assert QR.search(terminal.screen)
    base = link.url.partition("/uploads/")[0]
    assert not urlsplit(base).hostname.startswith("127.")
    Page.open(link.url)
    for path in ("/healthz", "/assets/page.css"):
        assert http("GET", base + path).status == 200, path
    port = urlsplit(base).port
    for host in ({}, {"host": f"127.0.0.1:{port}"}, {"host": f"localhost:{port}"}):
        for path in ("/mcp", "/"):
            assert http("POST", base + path, b"{}", host).status in (403, 404), (host, path)
    assert link.send(png()).status == 201
    assert terminal.exit_code() == UPLOADED


def test_while_it_asks_it_serves_links_and_nothing_else(asking: Asking) -> None:
    process = asking.piped()
    link = piped_link(process)
    base = link.url.partition("/uploads/")[0]
    assert http("POST", f"{base}/mcp", b"{}").status == 404
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED


def test_the_browser_of_this_machine_is_opened_when_wanted(asking: Asking, tmp_path: Path) -> None:
    browser = tmp_path / "bin" / "xdg-open"
    browser.parent.mkdir()
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >"{tmp_path}/opened"\n')
    browser.chmod(0o755)
    asking.env["PATH"] = f"{browser.parent}:{asking.env['PATH']}"
    process = asking.piped("--open")
    link = piped_link(process)
    opened = tmp_path / "opened"
    until("a browser", lambda: opened.exists() and opened.read_text() == link.url)
    process.terminate()
    process.communicate(timeout=20)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--accept", "nonsense"], "^askfile: --accept: `nonsense`"),
        (["--accept", "image/svg+xml"], "^askfile: --accept: `image/svg"),
        (["--max-size", "1TB"], "^askfile: --max-size: .*50 MB"),
        (["--max-size", "large"], "large"),
        (["--max-files", "0"], "^askfile: --max-files: between 1 and 50"),
        (["--timeout", "2d"], "between 1s and 1d"),
    ],
)
def test_a_wrong_flag_is_told_before_anybody_is_asked(
    asking: Asking, arguments: list[str], named: str
) -> None:
    process = asking.piped(*arguments)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (WRONG_USAGE, "")
    assert re.search(named, err) and not LINK.search(err)


@pytest.mark.parametrize("prompt", ["", "  "], ids=["empty", "blank"])
def test_nobody_is_asked_for_nothing(tmp_path: Path, prompt: str) -> None:
    done = run(tmp_path, "ask", prompt)
    assert (done.returncode, done.stdout) == (WRONG_USAGE, "")
    assert "say which file you ask for" in done.stderr and not (tmp_path / "data").exists()


def test_who_sent_some_of_several_files_has_answered_when_the_time_is_over(asking: Asking) -> None:
    server = asking.server()
    process = asking.piped("--max-files", "3", "--timeout", "3s", "--output", "o")
    assert process.stderr
    link = link_of(until("the link", lambda: LINK.search(process.stderr.readline())).group())
    photo = png()
    assert link.send(photo).status == 201
    out, _ = process.communicate(timeout=30)
    assert process.returncode == UPLOADED
    answer = json.loads(out)
    assert [media["sha256"] for media in answer["media"]] == [sha256(photo)]
    assert Path(answer["saved"][0]).name == "photo.png"
    assert len(server.stored) == 1


def test_what_came_is_told_where_it_cannot_be_saved(asking: Asking) -> None:
    folder = asking.folder / "gone"
    process = asking.piped("--output", str(folder))
    assert process.stderr
    link = link_of(until("the link", lambda: LINK.search(process.stderr.readline())).group())
    folder.rmdir()
    folder.write_text("a file is in the way")
    assert link.send(png()).status == 201
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1 and str(folder) in err
    assert json.loads(out)["media"][0]["media_id"]


def test_a_long_name_is_saved_under_a_shorter_one(asking: Asking) -> None:
    process = asking.piped("--output", "o")
    assert process.stderr
    link = link_of(until("the link", lambda: LINK.search(process.stderr.readline())).group())
    assert link.send(b"Words.", "写" * 100 + ".txt").status == 201
    out, err = process.communicate(timeout=30)
    assert process.returncode == UPLOADED, err
    [saved] = json.loads(out)["saved"]
    assert saved.endswith("写.txt") and Path(asking.folder, saved).read_bytes() == b"Words."


def test_a_page_that_is_open_sees_that_the_time_is_over(asking: Asking) -> None:
    process = asking.piped("--timeout", "2s")
    assert process.stderr
    link = link_of(until("the link", lambda: LINK.search(process.stderr.readline())).group())
    until("it is closed", lambda: link.facts()["status"] == "cancelled")
    assert http("GET", link.url, headers={"accept": "text/html"}).is_html
    assert process.wait(30) == TIMED_OUT
