"""A real clamd that knows one virus, and what may stand between it and whoever asks it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from askfile import free_port, until

# In two parts, so that no scanner minds this file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

CONFIGURATION = """\
DatabaseDirectory {folder}/db
TemporaryDirectory {folder}/tmp
LocalSocket {folder}/clamd.sock
TCPSocket {port}
TCPAddr 127.0.0.1
PidFile {folder}/clamd.pid
Foreground yes
SelfCheck 0
StreamMaxLength 1M
MaxFileSize 1M
MaxScanSize 4M
AlertExceedsMax yes
"""


class Clamd:
    """Started and stopped at will, always at the same addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("db", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "db/test.ndb").write_text(f"Test.Eicar:0:*:{EICAR.hex()}\n")
        self.port = free_port()
        (folder / "clamd.conf").write_text(CONFIGURATION.format(folder=folder, port=self.port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return f"{self._folder}/clamd.sock"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        program = shutil.which("clamd", path="/usr/sbin:/usr/bin:/sbin:/bin")
        assert program, "clamd is missing: tests/run installs it"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, f"--config-file={self._folder}/clamd.conf"], stdout=log, stderr=log
            )
        until("clamd answers", self._answers)

    def _answers(self) -> bool:
        assert self._process and self._process.poll() is None, (self._folder / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"zPING\0")
                return connection.recv(16) == b"PONG\0"
        except ConnectionError:
            return False

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None


class Impostor:
    """Listens as a clamd does and treats each connection as it is told to, which clamd would not."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._treat = treat
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._treat(connection)
            except OSError:
                pass  # Whoever asked has gone.

    def stop(self) -> None:
        self._listener.close()


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Hears all and answers this."""

    def treat(connection: socket.socket) -> None:
        heard = b""
        while not heard.endswith(b"\0\0\0\0"):
            heard += (piece := connection.recv(65536))
            if not piece:
                return
        connection.sendall(answer)

    return treat


def hangs_up(connection: socket.socket) -> None:
    """Closes in the middle of the file."""
    connection.recv(16)


def is_silent(connection: socket.socket) -> None:
    """Takes all and never answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end and connection.recv(65536):
        pass
