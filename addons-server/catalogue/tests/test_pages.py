"""What a visitor sees of the catalogue."""

import re

import pytest
from django.test import override_settings
from django.urls import reverse

from catalogue import totals
from catalogue.models import Addon, Category, Support

pytestmark = pytest.mark.django_db


def slugs(response):
    """Return the slugs of the add-ons on a page, in order."""
    return re.findall(r'class="card__title" href="/[^/]+/[^/]+/addon/([^/]+)/"', response.content.decode())


def test_home_shows_both_kinds(client):
    shown = slugs(client.get("/en-US/firefox/"))
    assert {"tab-gardener", "harbour-at-dusk"} <= set(shown)


def test_home_shows_the_apps_own(client):
    shown = slugs(client.get("/en-US/thunderbird/"))
    assert "letter-opener" in shown
    assert "tab-gardener" not in shown


def test_home_comes_from_the_cache(client, django_assert_num_queries, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        client.get("/en-US/firefox/")
    with django_assert_num_queries(1):
        client.get("/en-US/firefox/")


def test_home_shows_what_was_saved_since(client, addon):
    client.get("/en-US/firefox/")
    addon.name = "Tab Forester"
    addon.save()
    assert "Tab Forester" in client.get("/en-US/firefox/").content.decode()


@override_settings(HADJANGO_BUILD="b", HADJANGO_TAG="v1.2-3")
def test_pages_know_the_build(client):
    build = client.get("/en-US/firefox/").context["build"]
    assert (build["name"], build["tag"], build["worker"]) == ("b", "v1.2-3", None)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("kind=theme", {"harbour-at-dusk", "paper-mill", "moss-and-stone"}),
        ("category=tabs", {"tab-gardener"}),
        ("category=reading", {"quiet-pages", "read-by-ear", "margin-notes"}),
        ("category=reading&kind=theme", set()),
    ],
)
def test_browse_is_narrowed(client, query, wanted):
    assert set(slugs(client.get(f"/en-US/firefox/browse/?{query}"))) == wanted


@pytest.mark.parametrize(
    "query",
    [
        "kind=nonsense",
        "sort=password",
        "page=-3",
        "page=99999999999999999999999",
        "page=%C2%B2",
        "category=none",
        "category=%00",
        "kind=%00&sort=%FF",
        "kind=theme&kind=extension",
    ],
)
def test_browse_takes_any_query(client, query):
    assert client.get(f"/en-US/firefox/browse/?{query}").status_code == 200


@pytest.mark.parametrize(("sort", "field"), [("", "-users"), ("users", "-users"), ("created", "-created"), ("name", "name")])
def test_browse_is_sorted(client, sort, field):
    wanted = Addon.objects.for_app("firefox").order_by(field).values_list("slug", flat=True)
    assert slugs(client.get(f"/en-US/firefox/browse/?sort={sort}")) == list(wanted)


def test_browse_is_sorted_by_rating(client, user, addon):
    least = Addon.objects.for_app("firefox").order_by("users").first()
    least.reviews.create(user=user, score=5)
    addon.reviews.create(user=user, score=2)
    assert slugs(client.get("/en-US/firefox/browse/?sort=rating"))[:2] == [least.slug, addon.slug]


def test_browse_comes_in_pages(client):
    for number in range(60):
        made = Addon.objects.create(guid=f"g{number}", slug=f"s{number}", name="N", summary="S")
        Support.objects.create(addon=made, app="seamonkey")
    first = client.get("/en-US/seamonkey/browse/?sort=name")
    assert 'href="?sort=name&amp;page=2"' in first.content.decode()
    second = client.get("/en-US/seamonkey/browse/?sort=name&page=2")
    assert len(slugs(first)) == 24
    assert not set(slugs(first)) & set(slugs(second))


def test_a_list_asks_the_database_as_often_for_many_as_for_few(client, django_assert_max_num_queries):
    client.get("/en-US/firefox/browse/")
    with django_assert_max_num_queries(2):
        client.get("/en-US/firefox/browse/")


def test_detail(client):
    page = client.get("/en-US/firefox/addon/tab-gardener/").content.decode()
    for shown in ["184,203", "Tab Gardener", "Firefox, SeaMonkey", "Tabs", "1.1", "The first release."]:
        assert shown in page


def test_detail_leads_to_an_app_it_is_made_for(client):
    response = client.get("/de/thunderbird/addon/tab-gardener/")
    assert (response.status_code, response["Location"]) == (302, "/de/firefox/addon/tab-gardener/")


@pytest.mark.parametrize("page", ["addon/none/", "addon/none/reviews/", "addon/none/versions/", "categories/none/"])
def test_unknown(client, page):
    assert client.get(f"/en-US/firefox/{page}").status_code == 404


def test_text_from_people_stays_text(client, addon):
    Addon.objects.filter(pk=addon.pk).update(name="<script>1</script>", description="<b>no</b>")
    page = client.get("/en-US/firefox/addon/tab-gardener/").content.decode()
    assert "&lt;script&gt;1&lt;/script&gt;" in page
    assert "<script>1" not in page
    assert "<b>no" not in page


def test_versions(client):
    page = client.get("/en-US/firefox/addon/tab-gardener/versions/").content.decode()
    assert page.index("1.1") < page.index("1.0 ")


def test_categories_are_the_apps_own(client):
    page = client.get("/en-US/thunderbird/categories/").content.decode()
    assert "/en-US/thunderbird/categories/calendar/" in page
    assert "/tabs/" not in page


def test_category_lists_its_addons(client):
    response = client.get(reverse("category", args=["tabs"]))
    assert slugs(response) == ["tab-gardener"]
    assert '<form class="form search-form" action="/en-US/firefox/browse/">' in response.content.decode()


def test_totals_come_from_the_cache_until_they_are_counted(client, django_assert_num_queries):
    totals.of("firefox")
    with django_assert_num_queries(0):
        totals.of("firefox")
    Category.objects.filter(slug="tabs").update(count=7)
    totals.count()
    assert {one["slug"]: one["count"] for one in totals.of("firefox")}["tabs"] == 1


def test_a_new_category_is_there_at_once(client):
    assert client.get(reverse("category", args=["knitting"])).status_code == 404
    Category.objects.create(app="firefox", slug="knitting", name="Knitting")
    assert client.get(reverse("category", args=["knitting"])).status_code == 200


@pytest.mark.parametrize("name", ["home", "browse", "search", "categories", "collections", "login", "signup"])
@pytest.mark.parametrize("locale", ["en-US", "de"])
@pytest.mark.parametrize("app", ["firefox", "thunderbird", "android", "seamonkey"])
def test_every_page_in_every_language_for_every_app(client, name, locale, app):
    path = reverse(name).replace("/en-US/firefox/", f"/{locale}/{app}/")
    response = client.get(path)
    assert response.status_code == 200
    assert f'<html lang="{locale}"' in response.content.decode()


def test_only_what_is_sent_changes_anything(client):
    for name in ["home", "browse", "categories", "search", "collections"]:
        assert client.post(reverse(name)).status_code == 405
