"""The site works with real cache servers, where they are installed."""

import getpass
import shutil
import socket
import subprocess
import time

import pytest
from django.core.cache import cache
from django.core.management import call_command

from addons import environment


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def reached(address):
    """Wait until a server takes connections."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket(family) as opened:
            if opened.connect_ex(address) == 0:
                return
        time.sleep(0.01)
    pytest.fail(f"nobody answers at {address}")


@pytest.fixture(params=["memcached", "memcached by socket", "redis"])
def server(request, tmp_path):
    """Return the URL of a server of one's own, and its process."""
    port, path = free_port(), str(tmp_path / "s")
    program, address, url = {
        "memcached": (["memcached", "-l", "127.0.0.1", "-p", str(port)], ("127.0.0.1", port), f"memcached://127.0.0.1:{port}"),
        "memcached by socket": (["memcached", "-s", path], path, f"memcached://{path}"),
        "redis": (
            ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path), "--requirepass", "p@ss"],
            ("127.0.0.1", port),
            f"redis://:p%40ss@127.0.0.1:{port}/1",
        ),
    }[request.param]
    if not shutil.which(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    if program[0] == "memcached":
        program += ["-u", getpass.getuser()]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as server:
        try:
            reached(address)
            yield url, server
        finally:
            server.terminate()


@pytest.mark.django_db
def test_pages_come_from_the_server(client, settings, server, django_assert_num_queries):
    url, process = server
    settings.CACHES = {"default": {**environment.cache(url), "KEY_PREFIX": "addons:b"}}
    cache.set("greeting", "grüße 🦊")
    assert cache.get("greeting") == "grüße 🦊"
    first = client.get("/de/firefox/").content
    with django_assert_num_queries(1):
        assert client.get("/de/firefox/").content == first
    process.terminate()
    process.wait()
    for path in ["/de/firefox/", "/de/firefox/browse/", "/de/firefox/categories/tabs/"]:
        assert client.get(path).status_code == 200
    call_command("cron", "category_totals")
