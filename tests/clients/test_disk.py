"""A disk that is full: nothing half-stored stays, and the person can try again."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from askfile import Server, large_text, png, until
from wire import http

MIB = 1 << 20
DISK = 8 * MIB


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose data is on a disk of 8 MiB."""
    data = tmp_path / "data"
    data.mkdir()
    mount = f'mount -t tmpfs -o size={DISK} tmpfs "$0" && exec "$@"'
    inside = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(data))
    server = Server(tmp_path, inside=inside, min_free_disk="0B")
    yield server
    server.stop()


def test_a_file_for_which_there_is_no_room_leaves_nothing(server: Server) -> None:
    first, second = server.ask(), server.ask()
    assert first.send(large_text(5 * MIB), "first.txt").status == 201
    refused = second.send(large_text(5 * MIB), "second.txt")
    assert (refused.status, refused.json["code"]) == (507, "INSUFFICIENT_STORAGE")
    until("only the first is there", lambda: len(server.stored) == 1)
    assert second.send(large_text(MIB), "smaller.txt").status == 201


def test_a_disk_that_fills_up_on_the_way_leaves_nothing(server: Server) -> None:
    def without_end() -> Iterator[bytes]:
        while True:
            yield large_text(64 * 1024)

    link = server.ask()
    refused = http("PUT", link.url, without_end(), {"content-disposition": "inline; filename=a.txt"})
    assert (refused.status, refused.json["code"]) == (507, "INSUFFICIENT_STORAGE")
    until("nothing is left", lambda: server.stored == [])
    assert link.send(b"Words.", "words.txt").status == 201


def test_an_image_that_cannot_be_written_anew_leaves_nothing(server: Server) -> None:
    link, other = server.ask(), server.ask()
    assert other.send(large_text(6 * MIB), "other.txt").status == 201
    refused = link.send(photo_that_needs_twice_its_room(), "photo.png")
    assert (refused.status, refused.json["code"]) == (507, "INSUFFICIENT_STORAGE")
    until("only the other is there", lambda: len(server.stored) == 1)
    assert link.send(png()).status == 201


def photo_that_needs_twice_its_room() -> bytes:
    """A PNG of about 1 MiB of noise with a comment, on a disk with room for less than two of it."""
    side = 590
    noise = random.Random(7).randbytes(side * side * 3)
    rows = b"".join(b"\0" + noise[at : at + side * 3] for at in range(0, len(noise), side * 3))
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunks = [header, b"tEXtAuthor\0Ana", b"IDAT" + zlib.compress(rows, 1), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        for chunk in chunks
    )
