"""Files on their way past a real clamd: what is clean, what is not, and what nobody could judge."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from pathlib import Path

import pytest

from askfile import Link, Server, large_text, png, run, until
from clamd import EICAR, Clamd, Impostor, hangs_up, is_silent, says
from wire import PATIENCE


@pytest.fixture
def settings(clamd: Clamd) -> dict[str, str]:
    return {"scan_clamd": clamd.address, "scan_timeout": "5s"}


def completed(server: Server, link: Link) -> bool:
    return server.status(link)["status"] == "completed"


def blocked(server: Server, link: Link) -> bool:
    status = server.status(link)
    return (status["status"], status["last_error"]["code"]) == ("pending", "SCAN_BLOCKED")


def document_with(data: bytes) -> bytes:
    """A Word document that hides this in a compressed file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as document:
        document.writestr("[Content_Types].xml", "<Types/>")
        document.writestr("word/document.xml", "<w:document/>")
        document.writestr("word/embeddings/data.bin", data)
    return packed.getvalue()


@pytest.mark.parametrize("way", ["socket", "address"])
def test_a_clean_file_is_clean_at_once(tmp_path: Path, clamd: Clamd, way: str) -> None:
    server = Server(tmp_path, scan_clamd=getattr(clamd, way))
    try:
        link = server.ask()
        answer = link.send(png())
        assert (answer.status, answer.json["scan_status"]) == (201, "clean")
        [media] = server.status(link)["result"]["media"]
        assert media["scan_status"] == "clean"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plain.txt", EICAR),
        ("offset.txt", large_text(300_000) + EICAR),
        ("hidden.docx", document_with(EICAR)),
    ],
)
def test_what_is_found_is_deleted_and_another_file_may_come(
    server: Server, name: str, data: bytes
) -> None:
    link = server.ask()
    answer = link.send(data, name)
    assert (answer.status, answer.json["code"]) == (403, "SCAN_BLOCKED")
    assert server.stored == []
    assert blocked(server, link)
    assert link.send(b"Harmless words.", "clean.txt").status == 201
    assert completed(server, link)


def test_what_is_too_large_for_the_scanner_is_not_clean(server: Server) -> None:
    link = server.ask()
    answer = link.send(large_text(3 << 20), "long.txt")
    assert (answer.status, answer.json["code"]) == (403, "SCAN_BLOCKED")
    assert "more than the virus scanner can look through" in answer.json["message"]
    assert server.stored == []


def test_a_file_waits_for_a_scanner_that_is_down(server: Server, clamd: Clamd) -> None:
    clamd.stop()
    link = server.ask()
    answer = link.send(b"Harmless words.", "words.txt")
    assert (answer.status, answer.json["scan_status"]) == (202, "pending")
    status = server.status(link)
    assert (status["status"], status["phase"]) == ("pending", "scanning")
    again = link.send(b"Other words.", "more.txt")
    assert (again.status, again.json["code"]) == (409, "IN_USE")
    clamd.start()
    until("the file is judged", lambda: completed(server, link))


def test_a_file_that_waits_is_blocked_when_its_turn_comes(server: Server, clamd: Clamd) -> None:
    clamd.stop()
    link = server.ask()
    assert link.send(EICAR, "plain.txt").status == 202
    clamd.start()
    until("the file is judged", lambda: "last_error" in server.status(link))
    assert blocked(server, link)
    until("the bytes are gone", lambda: server.stored == [])


@pytest.mark.parametrize(
    "treat",
    [
        pytest.param(says(b"stream: OK, more or less\0"), id="no-exact-ok"),
        pytest.param(says(b"COMMAND READ TIMED OUT\0"), id="an-error"),
        pytest.param(says(b""), id="no-answer"),
        pytest.param(hangs_up, id="hangs-up"),
        pytest.param(is_silent, id="silent"),
    ],
)
def test_a_scanner_that_does_not_say_ok_has_not_judged(tmp_path: Path, treat) -> None:
    impostor = Impostor(treat)
    server = Server(tmp_path, scan_clamd=impostor.address, scan_timeout="1s")
    try:
        link = server.ask()
        answer = link.send(large_text(900_000), "words.txt")
        assert (answer.status, answer.json["scan_status"]) == (202, "pending")
        assert server.status(link)["phase"] == "scanning"
        assert not list((server.data / "medias").iterdir()), "nothing unjudged is published"
        assert "result" not in server.status(link)
    finally:
        server.stop()
        impostor.stop()


def test_a_link_that_is_closed_while_its_file_waits_leaves_nothing(
    server: Server, clamd: Clamd
) -> None:
    clamd.stop()
    link = server.ask()
    assert link.send(b"Harmless words.", "words.txt").status == 202
    answer = server.rpc(
        "tools/call", {"name": "upload_cancel", "arguments": {"upload_id": link.upload_id}}
    )
    assert answer.status == 200
    until("the bytes are gone", lambda: server.stored == [])
    clamd.start()
    time.sleep(0.2)
    assert server.status(link)["status"] == "cancelled"


def test_several_files_are_judged_each_on_its_own(server: Server) -> None:
    link = server.ask(max_files=3)
    statuses = [link.send(data, f"{n}.txt").status for n, data in enumerate([b"a", EICAR, b"b"])]
    assert statuses == [201, 403, 201]
    assert link.send(b"c", "c.txt").status == 201
    [*media] = server.status(link)["result"]["media"]
    assert [file["original_filename"] for file in media] == ["0.txt", "2.txt", "c.txt"]


@pytest.mark.parametrize("step", ["committed", "scanned", "remade", "published", "passed"])
def test_a_check_that_was_cut_off_is_taken_up_again(
    tmp_path: Path, clamd: Clamd, step: str
) -> None:
    settings = {"scan_clamd": clamd.address, "scan_timeout": "1s"}
    server = Server(tmp_path, stop_at=step, **settings)
    link = server.ask(purpose="post_media")
    sending = threading.Thread(target=ignoring(ConnectionError, OSError)(link.send), args=[png()])
    sending.start()
    until("it stops there", lambda: f"stopped at {step}" in server.output)
    server.kill()
    sending.join()
    server = Server(tmp_path, **settings)
    try:
        until("the file is judged", lambda: completed(server, link), 2 * PATIENCE)
        [media] = server.status(link)["result"]["media"]
        assert (media["scan_status"], media["mime_type"]) == ("clean", "image/jpeg")
        until("the check left nothing", lambda: len(server.stored) == 1, 2 * PATIENCE)
        assert "nothing to do" in run(tmp_path, "sweep", "--dry-run").stdout
    finally:
        server.stop()


def ignoring(*errors: type[Exception]):
    """What fails in the background because the server died is no fault."""

    def wrap(work):
        def quiet(*arguments):
            try:
                work(*arguments)
            except errors:
                pass

        return quiet

    return wrap


def test_the_doctor_tries_the_scanner(tmp_path: Path, clamd: Clamd) -> None:
    def says(**settings: str) -> str:
        settings = {"scan_clamd": clamd.address, "scan_timeout": "5s"} | settings
        return run(tmp_path, "doctor", **settings).stdout

    assert "does not take files of 50 MB" in says()
    assert "✓ scanner" in says(max_file_size="900KB")
    assert "off: files are not scanned" in says(scan_clamd="none")
    clamd.stop()
    assert "✗ scanner        clamd at" in says()
