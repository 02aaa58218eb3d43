"""`pgattic dashboard` serves this machine only, ends with its signals, and says why it cannot start."""

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.errors import AddressUnusableError, PortInUseError
from dashboard.server import DashboardServer, check_port
from tests.dashboard.conftest import Shop

# The command as pgattic.py composes it, without the other folders' commands.
_PROGRAM = """
import sys
from pathlib import Path
import typer
import dashboard.cli
from catalog.errors import PgatticError
from catalog.terminal import Invocation
app = typer.Typer()
@app.callback()
def options(ctx: typer.Context, config: Path) -> None:
    ctx.obj = Invocation(config)
dashboard.cli.register(app)
try:
    app()
except PgatticError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


def command(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, str(config), "dashboard", "--headless", *options]


@contextmanager
def running(config: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(config, f"--port={port}"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while "Dashboard:" not in (line := process.stdout.readline()):
            assert line, "it ended without saying where the dashboard is"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def listeners(port: int) -> list[str]:
    """The addresses on which somebody listens at a port, as /proc/net writes them."""
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_command_listens_on_localhost_alone_and_ends_with_its_signal(
    number: int, shop: Shop, free_port: int
) -> None:
    with running(shop.config, free_port) as process:
        assert listeners(free_port) == ["0100007F"]
        process.send_signal(number)
        assert process.wait(20) == 0
    check_port("127.0.0.1", free_port)


def test_port_in_use_is_one_line_with_a_way_out(shop: Shop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = subprocess.run(
            command(shop.config, f"--port={port}"), capture_output=True, text=True, check=False
        )
    assert result.returncode == 2
    expected = f"error: 127.0.0.1:{port}: another program listens there. Give a free port with --port\n"
    assert result.stderr == expected
    assert result.stdout == ""


def test_wrong_configuration_is_told_before_anything_starts(tmp_path: Path) -> None:
    result = subprocess.run(command(tmp_path / "gone.toml"), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no such configuration file" in result.stderr
    assert "Traceback" not in result.stderr


def test_address_of_another_machine_is_refused(free_port: int) -> None:
    with pytest.raises(AddressUnusableError, match="Give another --address"):
        check_port("192.0.2.1", free_port)


def test_text_that_is_no_address_is_refused(free_port: int) -> None:
    with pytest.raises(AddressUnusableError, match="not an address"):
        check_port("no address", free_port)


def test_free_port_passes_and_a_taken_one_does_not(free_port: int) -> None:
    check_port("127.0.0.1", free_port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(PortInUseError):
            check_port("127.0.0.1", free_port)


def test_server_ends_with_its_context_and_answers_no_foreign_host(shop: Shop, free_port: int) -> None:
    with DashboardServer(shop.config, port=free_port) as server:
        with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=10) as answer:
            assert answer.status == 200
        assert handshake(free_port, "127.0.0.1") == 101
        assert handshake(free_port, "evil.example") == 403
    check_port("127.0.0.1", free_port)


def handshake(port: int, host: str) -> int:
    """The HTTP status that a page of a host gets when it asks for Streamlit's websocket."""
    request = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        return int(connection.recv(100).split()[1])
