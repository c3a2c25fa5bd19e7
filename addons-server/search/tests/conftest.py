"""Where SEARCH_URL names a server, the tests of search are tests of that: each has an index of its own there."""

import uuid

import pytest

from search import engine, index


@pytest.fixture(autouse=True)
def _server(settings, monkeypatch, db):
    """Fill an index, and let what is saved reach it at once: a test's transaction is never committed."""
    if not settings.SEARCH:
        yield
        return
    name = f"test-{uuid.uuid4().hex}"
    settings.SEARCH = server = {**settings.SEARCH, "index": name}
    monkeypatch.setattr(index.transaction, "on_commit", lambda do: do())
    index.rebuild()
    yield
    settings.SEARCH = server
    for made in engine._ask("GET", f"{name}-*/_alias"):
        engine._ask("DELETE", made)
