"""A search server that is away, or answers nonsense, keeps nobody from searching and saving.

That one which is well finds the same as the database is what test_search tells, when SEARCH_URL names one.
"""

import contextlib
import http.server
import json
import threading

import pytest
from django.core.management import call_command

from addons import environment
from catalogue.models import Addon
from search import engine, index
from search.models import Entry
from search.tests.test_search import found

pytestmark = [pytest.mark.es_tests, pytest.mark.django_db]


@contextlib.contextmanager
def answering(status, body):
    """Run a server that gives everybody the same answer; the URL of it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.server.asked.append((self.command, self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *args):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["away", "broken", "no JSON", "not found", "other JSON", "a list"])
def nonsense(request, settings):
    """Return a server that does not do what it should."""
    answers = {
        "broken": (500, b"{}"),
        "no JSON": (200, b"<html>"),
        "not found": (404, b'{"error": "no such index"}'),
        "other JSON": (200, b'{"errors": true}'),
        "a list": (200, b"[]"),
    }
    if request.param == "away":
        with answering(200, b"{}") as server:
            url = f"http://127.0.0.1:{server.server_port}/shop"
        settings.SEARCH = environment.search(url)
        yield None
        return
    with answering(*answers[request.param]) as server:
        settings.SEARCH = environment.search(f"http://ada:se%2Fcret@127.0.0.1:{server.server_port}/shop")
        yield server


def test_the_database_searches_then(client, nonsense):
    assert found(client, "lantern") == ["link-lantern"]
    assert found(client, "nowhere") == []
    if nonsense:
        assert nonsense.asked[0] == ("POST", "/shop/_search", "Basic YWRhOnNlL2NyZXQ=")


def test_saving_goes_on(client, addon, nonsense, django_capture_on_commit_callbacks, caplog):
    with django_capture_on_commit_callbacks(execute=True):
        addon.name = "Tab Forester"
        addon.save()
    assert found(client, "forester") == ["tab-gardener"]
    assert "reindex" in caplog.text
    assert "cret" not in caplog.text


def test_reindex_fails_and_changes_nothing(nonsense):
    Entry.objects.create(addon=Addon.objects.first(), head="wro", term="wrong", weight=1)
    with pytest.raises(engine.Away) as caught:
        call_command("reindex")
    assert "127.0.0.1" in str(caught.value)
    assert "cret" not in str(caught.value)
    assert Entry.objects.filter(term="wrong").exists()


def test_what_is_asked_without_words_is_the_database(client, settings):
    with answering(500, b"") as server:
        settings.SEARCH = environment.search(f"http://127.0.0.1:{server.server_port}")
        assert len(found(client, "!?")) == Addon.objects.for_app("firefox").count()
        assert server.asked == []


def test_a_server_that_is_well_is_asked(client, settings):
    if not settings.SEARCH:
        pytest.skip("SEARCH_URL names no server")
    Entry.objects.all().delete()
    assert found(client, "lantern") == ["link-lantern"]


def test_scores_are_the_order(settings):
    first, second = Addon.objects.order_by("pk")[:2]
    scored = [(second.pk, 13.0), (first.pk, 4.0), (0, 4)]
    hits = json.dumps({"hits": {"hits": [{"_id": str(key), "_score": score} for key, score in scored]}})
    with answering(200, hits.encode()) as server:
        settings.SEARCH = environment.search(f"http://127.0.0.1:{server.server_port}")
        listed = index.find(Addon.objects.all(), "any").order_by("-relevance")
        assert [(addon.pk, addon.relevance) for addon in listed] == [(second.pk, 13), (first.pk, 4)]
