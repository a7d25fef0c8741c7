"""Files on their way out, by curl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from askfile import Server, large_text, run


def store(server: Server, data: bytes, name: str = "notes.txt") -> dict[str, Any]:
    """Stores a file; gives what `media_get` tells of it."""
    sent = server.ask().send(data, name)
    assert sent.status == 201, sent
    return server.call("media_get", media_id=sent.json["media_id"])


def curl(*arguments: str | Path) -> None:
    subprocess.run(["curl", "-sSf", *map(str, arguments)], check=True, timeout=60)


def test_curl_gets_a_part_of_a_file(server: Server, tmp_path: Path) -> None:
    data = large_text(1_000_000)
    url = store(server, data)["download_url"]
    part = tmp_path / "part"
    curl("-r", "300000-699999", "-o", part, url)
    assert part.read_bytes() == data[300_000:700_000]


def test_curl_goes_on_where_a_download_was_cut_off(server: Server, tmp_path: Path) -> None:
    data = large_text(1_000_000)
    url = store(server, data)["download_url"]
    half = tmp_path / "half"
    half.write_bytes(data[:400_000])
    curl("-C", "-", "-o", half, url)
    assert half.read_bytes() == data


def test_curl_keeps_the_name_of_a_file(server: Server, tmp_path: Path) -> None:
    url = store(server, b"text", "my notes.txt")["download_url"]
    curl("-OJ", "--output-dir", tmp_path, url)
    assert (tmp_path / "my notes.txt").read_bytes() == b"text"


def test_a_sweep_says_what_it_deletes(server: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "sweep")
    assert done.returncode == 0 and "files kept no longer:   0" in done.stdout, done
