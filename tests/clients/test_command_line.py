"""What the command line prints for others to use: clients' settings, completions, the manual."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from askfile import BINARY, Server, free_address, node_folder, run

TOOLS = {
    *("upload_create", "upload_request", "upload_status", "upload_cancel", "attach_media"),
    *("media_list", "media_get", "media_import", "media_delete"),
}


def listen(server: Server) -> str:
    return server.url.removeprefix("http://")


def client(folder: Path, program: str, **settings: str) -> Any:
    """What a client reads, when the advice beside it is not in the way."""
    done = run(folder, "client", program, **settings)
    assert done.returncode == 0 and done.stderr, done
    return json.loads(done.stdout)


def test_claude_desktop_is_given_a_command_that_starts_this_askfile(tmp_path: Path) -> None:
    server = client(tmp_path, "claude")["mcpServers"]["askfile"]
    assert Path(server["command"]).samefile(BINARY)
    assert server["args"] == ["stdio"]
    assert server["env"]["ASKFILE_DATA_DIR"] == str(tmp_path / "data")


def test_a_settings_file_is_found_from_wherever_the_client_starts_askfile(tmp_path: Path) -> None:
    (tmp_path / "askfile.toml").write_text('data_dir = "files"\n')
    done = run(tmp_path, "client", "claude", data_dir="")
    env = json.loads(done.stdout)["mcpServers"]["askfile"]["env"]
    assert env["ASKFILE_CONFIG"] == str(tmp_path / "askfile.toml")
    assert env["ASKFILE_DATA_DIR"] == str(tmp_path / "files")


def test_cursor_and_vs_code_are_given_the_address_of_the_server(
    server: Server, tmp_path: Path
) -> None:
    cursor = client(tmp_path, "cursor", listen=listen(server))
    assert cursor == {"mcpServers": {"askfile": {"url": server.mcp_url}}}
    vscode = client(tmp_path, "vscode", listen=listen(server))
    assert vscode == {"servers": {"askfile": {"type": "http", "url": server.mcp_url}}}


def tools_by(line: str) -> set[str]:
    """The tools that a line for the Inspector lists."""
    # There `npx` finds the Inspector that is installed.
    done = subprocess.run(
        ["bash", "-c", line], cwd=node_folder(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done
    return {tool["name"] for tool in json.loads(done.stdout)["tools"]}


def test_the_line_for_the_inspector_lists_the_tools(server: Server, tmp_path: Path) -> None:
    assert tools_by(run(tmp_path, "client", "inspector", listen=listen(server)).stdout) == TOOLS


def test_where_mcp_is_closed_over_http_the_inspector_starts_askfile_itself(
    tmp_path: Path,
) -> None:
    settings = {"public_url": "https://files.example.com", "listen": free_address()}
    line = run(tmp_path, "client", "inspector", **settings).stdout
    assert "stdio" in line
    assert tools_by(line) == TOOLS


def test_chatgpt_is_told_what_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "client", "chatgpt")
    assert (done.returncode, done.stdout) == (1, "")
    assert "public HTTPS address" in done.stderr


def completed(line: str) -> list[str]:
    """What bash offers where the line ends."""
    words = shlex.split(line)
    script = f"""
        source <({BINARY} completions bash)
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        "$(complete -p askfile | grep -o -- '-F [^ ]*' | cut -c 4-)" askfile "{words[-1]}" "{words[-2]}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.split()


def test_bash_completes_commands_clients_and_flags() -> None:
    assert completed("askfile se") == ["serve"]
    assert completed("askfile client c") == ["claude", "cursor", "chatgpt"]
    assert "--max-file-size" in completed("askfile serve --max-f")


@pytest.mark.parametrize("shell", ["bash", "elvish", "fish", "powershell", "zsh"])
def test_every_shell_has_completions(tmp_path: Path, shell: str) -> None:
    done = run(tmp_path, "completions", shell)
    assert done.returncode == 0 and "doctor" in done.stdout and "max-file-size" in done.stdout


def test_every_command_has_a_manual_page(tmp_path: Path) -> None:
    def commands(*of: str) -> list[str]:
        usage = run(tmp_path, *of, "--help").stdout
        below = re.findall(r"^  ([a-z]+)  ", usage.partition("Commands:")[2], re.MULTILINE)
        names = ["-".join([*of, name]) for name in below if name != "help"]
        return names + [deeper for name in below if name != "help" for deeper in commands(*of, name)]

    assert {"serve", "client", "doctor", "keys-create"} <= set(commands())
    assert run(tmp_path, "man", "--dir", str(tmp_path / "man")).returncode == 0
    pages = {path.name: path.read_text() for path in (tmp_path / "man").iterdir()}
    names = ["askfile.1"] + [f"askfile-{name}.1" for name in commands()]
    assert sorted(pages) == sorted(names)
    for name, page in pages.items():
        title = name.removesuffix(".1")
        assert f".TH {title} 1" in page and ".SH NAME" in page and ".SH SYNOPSIS" in page, name
    assert run(tmp_path, "man").stdout.strip() == pages["askfile.1"].strip()
