"""Visitors find add-ons by words."""

import re
import threading

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from catalogue.models import Addon, Support
from search import index
from search.models import Entry
from search.words import terms

pytestmark = [pytest.mark.es_tests, pytest.mark.django_db]

URL = "/en-US/firefox/search/"


def found(client, words, url=URL, **more):
    """Return the slugs of what a search finds, in order."""
    page = client.get(url, {"q": words, **more}).content.decode()
    return re.findall(r'class="card__title" href="/[^/]+/[^/]+/addon/([^/]+)/"', page)


@pytest.fixture
def made():
    """Return what makes an add-on for Firefox."""

    def make(slug, name, summary="", **more):
        addon = Addon.objects.create(guid=slug, slug=slug, name=name, summary=summary, **more)
        Support.objects.create(addon=addon, app="firefox")
        return addon

    return make


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tab Gardener", ["tab", "gardener"]),
        ("Ärger über Größe", ["arger", "uber", "grosse"]),
        ("ＡＢＣ ﬁne", ["abc", "fine"]),
        ("don't-stop_now", ["don", "stop", "now"]),
        ("a b 12 €", ["12"]),
        ("日本語 🦊", ["日本語"]),
        ("", []),
        ("x" * 100, ["x" * 40]),
    ],
)
def test_words(text, wanted):
    assert terms(text) == wanted


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("lantern", ["link-lantern"]),
        ("LANTERN", ["link-lantern"]),
        ("lant", ["link-lantern"]),
        ("la", []),
        ("antern", []),
        ("link lantern", ["link-lantern"]),
        ("lantern gardener", []),
        ("miles kilometres", ["unit-pal"]),
        ("nowhere", []),
        ("' OR 1=1 --", []),
        ("%%%%", None),
        ("lan_ern", []),
    ],
)
def test_finds(client, words, wanted):
    assert wanted is None or found(client, words) == wanted


def test_without_words_finds_all(client):
    everything = Addon.objects.for_app("firefox").count()
    for words in ["", "   ", "!?", "\0"]:
        assert len(found(client, words)) == everything


@pytest.mark.parametrize("words", ["x" * 5000, "a\0b lantern", "word " * 300, "\ud83d", "<script>"])
def test_takes_any_words(client, words):
    response = client.get(URL, {"q": words.encode("utf-8", "replace")})
    assert response.status_code == 200
    assert "<script>&" not in response.content.decode()


def test_searches_within_the_app(client):
    assert found(client, "letter", "/en-US/thunderbird/search/") == ["letter-opener"]
    assert found(client, "letter") == []


def test_is_narrowed(client):
    assert found(client, "lantern", kind="theme") == []
    assert "paper-mill" in found(client, "reading", kind="theme")
    assert found(client, "reading", category="appearance", kind="extension") == []


def test_the_name_counts_most(client, made):
    made("far", "Something", description="a walrus", users=900)
    made("near", "Something", "a walrus", users=500)
    made("nearest", "Walrus", users=1)
    assert found(client, "walrus") == ["nearest", "near", "far"]
    assert found(client, "walrus", sort="users") == ["far", "near", "nearest"]


def test_accents_do_not_matter(client, made):
    made("cafe", "Café Größe")
    for words in ["cafe", "CAFÉ", "grosse", "größe"]:
        assert found(client, words) == ["cafe"]


def test_saving_changes_what_is_found(client, addon):
    addon.name = "Tab Forester"
    addon.save()
    assert found(client, "forester") == ["tab-gardener"]
    assert found(client, "gardener") == []
    addon.delete()
    assert found(client, "forester") == []


def test_reindex_mends_the_index(client, capsys):
    whole = sorted(Entry.objects.values_list("addon_id", "term", "weight"))
    Entry.objects.filter(term="lantern").delete()
    Entry.objects.create(addon=Addon.objects.first(), head="wro", term="wrong", weight=1)
    call_command("reindex")
    assert sorted(Entry.objects.values_list("addon_id", "term", "weight")) == whole
    assert capsys.readouterr().out == f"14 add-ons indexed by {len(whole)} entries\n"


def test_reindex_that_fails_changes_nothing(client, monkeypatch):
    monkeypatch.setattr(index, "_enter", lambda addons: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call_command("reindex")
    assert found(client, "lantern") == ["link-lantern"]


@pytest.mark.django_db(transaction=True)
def test_reindex_and_saving_at_the_same_time(made):
    """Who saves while the index is being written has its entries in the end, once."""
    if connection.vendor == "sqlite":
        pytest.skip("a test's SQLite is in memory, where there is but one connection")
    addon = made("walrus", "Walrus")
    saving = threading.Event()

    def save():
        saving.set()
        addon.name = "Narwhal"
        addon.save()
        connection.close()

    saver = threading.Thread(target=save)
    with transaction.atomic():
        index.rebuild()
        saver.start()
        saving.wait()
    saver.join()
    assert list(Entry.objects.filter(addon=addon).values_list("term", flat=True)) == ["narwhal"]
