"""A real S3-compatible store that lets pages of other origins in, where it is told to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from askfile import REPOSITORY, free_port, sha256, until

TOOLS = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "test-tools"
KEY = "GK" + "ab" * 12
SECRET = "cd" * 32
BUCKET = "files"

CONFIGURATION = """\
metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:{port}"
root_domain = ".s3.garage"
"""

CORS = """\
<CORSConfiguration><CORSRule><AllowedOrigin>{origin}</AllowedOrigin>\
<AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>
"""


class Garage:
    """One node with one bucket."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port, rpc = free_port(), free_port()
        config = CONFIGURATION.format(folder=folder, port=port, rpc=rpc, secret="ef" * 32)
        (folder / "garage.toml").write_text(config)
        self.origin = f"http://127.0.0.1:{port}"
        program = TOOLS / "cargo/bin/garage"
        assert program.exists(), "garage is missing: tests/run installs it"
        names = {
            "GARAGE_DEFAULT_ACCESS_KEY": KEY,
            "GARAGE_DEFAULT_SECRET_KEY": SECRET,
            "GARAGE_DEFAULT_BUCKET": BUCKET,
        }
        command = [program, "-c", folder / "garage.toml", "server", "--single-node"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--default-bucket"], env=names, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Until the bucket can be used."""

        def is_there() -> bool:
            assert self._process.poll() is None, self._log.read_text()
            return self._ask("GET", "?list-type=2") is not None

        until("the bucket is there", is_there)

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a server whose files are in the bucket."""
        return {
            "objects": f"s3://{BUCKET}/some/prefix",
            "s3_endpoint": self.origin,
            "s3_region": "garage",
            "link_keys": "ab" * 32,
        }

    def let_in(self, origin: str) -> None:
        """Lets pages of this origin put files into the bucket."""
        assert self._ask("PUT", "?cors=", CORS.format(origin=origin)), self._log.read_text()

    @property
    def objects(self) -> str:
        """The list of what is in the bucket, as XML."""
        listed = self._ask("GET", "?list-type=2")
        assert listed, self._log.read_text()
        return listed

    def _ask(self, method: str, query: str, body: str = "") -> str | None:
        """What the store answers, if it does the work."""
        signed = ["--aws-sigv4", "aws:amz:garage:s3", "--user", f"{KEY}:{SECRET}"]
        signed += ["-H", f"x-amz-content-sha256: {sha256(body.encode())}"]
        command = ["curl", "-sf", "-w", "%{http_code}", "-X", method, *signed]
        if body:
            command += ["--data-raw", body]
        asked = subprocess.run(
            [*command, f"{self.origin}/{BUCKET}{query}"], capture_output=True, text=True
        )
        return asked.stdout if asked.returncode == 0 else None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
