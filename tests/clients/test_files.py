"""Files on their way out by curl, and the data folder checked, copied and lost."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from askfile import Server, large_text, message_of, png, run


def call(server: Server, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = server.rpc("tools/call", {"name": tool, "arguments": arguments})
    return message_of(answer)["result"]["structuredContent"]


def store(server: Server, data: bytes, name: str = "notes.txt") -> dict[str, Any]:
    """Stores a file; gives what `media_get` tells of it."""
    sent = server.ask().send(data, name)
    assert sent.status == 201, sent
    return call(server, "media_get", media_id=sent.json["media_id"])


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


def verify(folder: Path, **settings: str) -> tuple[int, dict[str, Any]]:
    done = run(folder, "verify", "--json", **settings)
    return done.returncode, json.loads(done.stdout)


def test_verify_finds_what_is_missing_altered_or_nobodys(server: Server, tmp_path: Path) -> None:
    keys = [store(server, f"text {n}".encode())["upload_key"] for n in range(3)]
    well = {"ok": True, "checked": 3, "missing": [], "altered": [], "orphaned": []}
    assert verify(tmp_path) == (0, well), "while the server runs"
    (server.data / keys[0]).unlink()
    (server.data / keys[1]).write_bytes(b"TEXT 1")
    strays = ["medias/01890000-0000-7000-8000-000000000000.txt", "medias/x", "staging/x"]
    for stray in strays:
        (server.data / stray).write_bytes(b"stray")
    found = {
        "ok": False,
        "checked": 3,
        "missing": [keys[0]],
        "altered": [keys[1]],
        "orphaned": ["medias/01890000-0000-7000-8000-000000000000.txt", "medias/x", "staging/x"],
    }
    code, report = verify(tmp_path)
    report["orphaned"].sort()
    assert (code, report) == (1, found)
    told = run(tmp_path, "verify")
    assert told.returncode == 1
    assert f"missing   {keys[0]}" in told.stdout and "nobody's  medias/x" in told.stdout


def test_a_lost_data_folder_comes_back_from_its_backup(server: Server, tmp_path: Path) -> None:
    pictures = [png() for _ in range(3)]
    shown = [store(server, picture, "photo.png") for picture in pictures]
    backup = tmp_path / "backup"
    done = run(tmp_path, "backup", str(backup))
    assert done.returncode == 0, done
    assert verify(tmp_path, data_dir=str(backup))[1]["checked"] == 3
    later = store(server, png(), "later.png")
    server.stop()
    shutil.rmtree(server.data)

    done = run(tmp_path, "restore", str(backup))
    assert done.returncode == 0, done
    code, report = verify(tmp_path)
    assert (code, report["checked"]) == (0, 3)
    restored = Server(tmp_path)
    for before, picture in zip(shown, pictures, strict=True):
        after = call(restored, "media_get", media_id=before["handles"]["media"])
        assert after["sha256"] == hashlib.sha256(picture).hexdigest()
        # The key that signs came back too, so links of before still work.
        old = before["download_url"].replace(server.url, restored.url)
        curl("-o", tmp_path / "photo.png", old)
        assert (tmp_path / "photo.png").read_bytes() == picture
    unknown = call(restored, "media_get", media_id=later["media_id"])
    assert unknown["code"] == "NOT_FOUND"
    restored.stop()


def test_nothing_is_written_over(server: Server, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    done = run(tmp_path, "backup", str(full))
    assert done.returncode == 1 and "not empty" in done.stderr, done
    backup = str(tmp_path / "backup")
    assert run(tmp_path, "backup", backup).returncode == 0
    done = run(tmp_path, "restore", backup)
    assert done.returncode == 1 and "not empty" in done.stderr, done
    done = run(tmp_path, "restore", str(full), data_dir=str(tmp_path / "new"))
    assert done.returncode == 1 and "backup of askfile" in done.stderr, done
    assert not (tmp_path / "new").exists() and (full / "mine").exists()


def test_a_sweep_says_what_it_deletes(server: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "sweep")
    assert done.returncode == 0 and "files kept no longer:   0" in done.stdout, done
