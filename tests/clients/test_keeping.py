"""What an operator does to keep files: verify, back up, lose everything, restore."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path

from askfile import Server, large_text, png, run, sha256, until
from clamd import Impostor, is_silent

EMPTY = "00000000-0000-7000-8000-000000000000"


def verified(folder: Path, **settings: str) -> tuple[int, list[tuple[str, str]]]:
    """The exit code, and each fault with what it is about."""
    ended = run(folder, "verify", "--json", **settings)
    report = json.loads(ended.stdout)
    assert report["ok"] == (ended.returncode == 0)
    return ended.returncode, [(fault["fault"], fault["what"]) for fault in report["faults"]]


def media_id(path: Path) -> str:
    return path.name.partition(".")[0]


def test_what_is_missing_altered_or_nobodys_is_found(server: Server, tmp_path: Path) -> None:
    for n in range(4):
        assert server.ask().send(png(), f"{n}.png").status == 201
    assert verified(tmp_path) == (0, [])
    assert "4 files of" in run(tmp_path, "verify").stdout

    gone, altered, shorter, _ = sorted((server.data / "medias").iterdir())
    gone.unlink()
    altered.write_bytes(altered.read_bytes()[:-1] + b"x")
    code, faults = verified(tmp_path)
    assert (code, faults) == (4 + 8, [("missing", media_id(gone)), ("altered", media_id(altered))])
    shorter.write_bytes(shorter.read_bytes()[:-1])
    strays = [f"medias/{EMPTY}.png", "staging/leftover", f"staging/{EMPTY}"]
    for stray in strays:
        (server.data / stray).write_bytes(b"stray")
    code, faults = verified(tmp_path)
    assert code == 4 + 8 + 16
    assert sorted(what for fault, what in faults if fault == "orphaned") == sorted(strays)
    assert ("altered", media_id(shorter)) in faults
    lines = run(tmp_path, "verify").stdout.splitlines()
    assert f"missing   {media_id(gone)}" in lines


def test_files_on_their_way_are_nobodys_fault(tmp_path: Path) -> None:
    impostor = Impostor(is_silent)
    server = Server(tmp_path, scan_clamd=impostor.address, scan_timeout="1s")
    try:
        assert server.ask().send(b"Words.", "words.txt").status == 202
        assert verified(tmp_path) == (0, [])
    finally:
        server.stop()
        impostor.stop()


def test_a_lost_data_folder_comes_back_from_its_backup(tmp_path: Path) -> None:
    server = Server(tmp_path)
    backup = tmp_path / "backup"
    links = [server.ask() for _ in range(5)]
    files = [png(20, 20) for _ in range(5)]
    for link, file in zip(links[:3], files):
        assert link.send(file).status == 201
    assert "3 files are in" in run(tmp_path, "backup", str(backup)).stdout
    assert links[3].send(files[3]).status == 201
    again = run(tmp_path, "backup", str(backup))
    assert again.stdout.startswith("4 files are in") and "1 of them new" in again.stdout
    known = [server.status(link) for link in links]
    server.stop()

    in_use = run(tmp_path, "restore", str(backup))
    assert in_use.returncode == 1 and "there is askfile data here already" in in_use.stderr
    shutil.rmtree(server.data)
    assert "there is no backup here" in run(tmp_path, "restore", str(tmp_path / "no")).stderr
    restored = run(tmp_path, "restore", str(backup))
    assert restored.returncode == 0, restored
    assert "4 files of" in restored.stdout and "as they were stored" in restored.stdout

    server = Server(tmp_path, listen=server.url.removeprefix("http://"))
    try:
        assert [server.status(link) for link in links] == known, "the same tokens, the same files"
        assert links[4].send(files[4]).status == 201, "links signed before still work"
        stored = {sha256(path.read_bytes()) for path in server.stored}
        assert stored == {sha256(file) for file in files}
        assert verified(tmp_path) == (0, [])
    finally:
        server.stop()


def test_a_backup_is_whole_while_files_come_and_go(server: Server, tmp_path: Path) -> None:
    stop = threading.Event()

    def sending() -> None:
        while not stop.is_set():
            link = server.ask(max_files=2)
            link.send(large_text(200_000), "words.txt")
            # Cancelled, its first file goes again.
            server.rpc(
                "tools/call", {"name": "upload_cancel", "arguments": {"upload_id": link.upload_id}}
            )
            server.ask().send(png())

    senders = [threading.Thread(target=sending) for _ in range(3)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(5):
            backup = tmp_path / "backup"
            ended = run(tmp_path, "backup", str(backup))
            assert ended.returncode == 0, ended
            # A backup looks like a data folder, so it can be verified as one.
            assert verified(tmp_path, data_dir=str(backup)) == (0, [])
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    assert verified(tmp_path) == (0, [])


def test_what_is_missing_is_not_backed_up_in_silence(server: Server, tmp_path: Path) -> None:
    assert server.ask().send(png()).status == 201
    server.stored[0].unlink()
    ended = run(tmp_path, "backup", str(tmp_path / "backup"))
    assert ended.returncode == 1 and "`askfile verify` lists them" in ended.stderr
    assert not (tmp_path / "backup/askfile.db").exists()


def test_a_copy_that_was_cut_off_is_copied_again(server: Server, tmp_path: Path) -> None:
    assert server.ask().send(png()).status == 201
    backup = tmp_path / "backup"
    run(tmp_path, "backup", str(backup))
    [copy] = (backup / "medias").iterdir()
    copy.write_bytes(copy.read_bytes()[:10])
    assert "1 of them new" in run(tmp_path, "backup", str(backup)).stdout
    assert verified(tmp_path, data_dir=str(backup)) == (0, [])


def test_an_altered_file_is_not_backed_up_in_silence(server: Server, tmp_path: Path) -> None:
    assert server.ask().send(png()).status == 201
    [stored] = server.stored
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    ended = run(tmp_path, "backup", str(tmp_path / "backup"))
    assert ended.returncode == 1 and "not those that were stored" in ended.stderr


def test_a_backup_goes_over_nothing_but_itself(server: Server, tmp_path: Path) -> None:
    assert server.ask().send(png()).status == 201
    other = tmp_path / "other"
    other.mkdir()
    neighbour = Server(other)
    try:
        assert neighbour.ask().send(png()).status == 201
        before = neighbour.stored
        ended = run(tmp_path, "backup", str(neighbour.data))
        assert ended.returncode == 1 and "no earlier backup of this askfile" in ended.stderr
        assert neighbour.stored == before
        assert run(other, "backup", str(tmp_path / "backup")).returncode == 0
        assert run(tmp_path, "backup", str(tmp_path / "backup")).returncode == 1, "of another one"
    finally:
        neighbour.stop()


def test_a_backup_is_its_owners_alone(server: Server, tmp_path: Path) -> None:
    assert server.ask().send(png()).status == 201
    run(tmp_path, "backup", str(tmp_path / "backup"))
    modes = subprocess.run(
        ["find", tmp_path / "backup", "-perm", "/077", "-not", "-name", "askfile.backup"], capture_output=True, text=True, check=True
    )
    assert modes.stdout == ""
    until("the server lives", lambda: server.is_up)
