"""Programs read the catalogue."""

import pytest

from ratings.models import Review

pytestmark = pytest.mark.django_db

API = "/api/v1"


def slugs(client, path):
    """Return the slugs of a list's first page."""
    return [row["slug"] for row in client.get(f"{API}{path}").json()["results"]]


def test_lists_addons_in_pages(client):
    first = client.get(f"{API}/addons/?page_size=5").json()
    assert first["count"] == 14
    assert len(first["results"]) == 5
    second = client.get(first["next"]).json()
    assert not {row["slug"] for row in first["results"]} & {row["slug"] for row in second["results"]}
    assert second["previous"]


def test_tells_of_an_addon(client, addon, user, other):
    Review.objects.create(addon=addon, user=user, score=5)
    Review.objects.create(addon=addon, user=other, score=4)
    told = client.get(f"{API}/addons/tab-gardener/").json()
    assert told["guid"] == "tab-gardener@addons.example"
    assert told["apps"] == ["firefox", "seamonkey"]
    assert (told["rating"], told["reviews"]) == (4.5, 2)
    assert told["url"] == "http://testserver/en-US/firefox/addon/tab-gardener/"
    assert [version["number"] for version in told["versions"]] == ["1.1", "1.0"]
    assert told["icon"] is None
    assert told["owner"] is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("app=android&sort=name", {"link-lantern", "quiet-pages", "read-by-ear", "thumb-rest"}),
        ("category=tabs", {"tab-gardener"}),
        ("app=thunderbird&category=reading", {"letter-opener"}),
        ("app=firefox&category=calendar", set()),
        ("category=%00", set()),
    ],
)
def test_addons_are_narrowed(client, query, wanted):
    assert set(slugs(client, f"/addons/?{query}&page_size=100")) - {
        "harbour-at-dusk",
        "paper-mill",
        "moss-and-stone",
    } == (wanted if query != "category=%00" else set(slugs(client, "/addons/?page_size=100&kind=extension")))


def test_addons_are_sorted(client):
    assert slugs(client, "/addons/")[0] == "tab-gardener"
    names = slugs(client, "/addons/?sort=name")
    assert names == sorted(names)


@pytest.mark.parametrize("query", ["app=netscape", "kind=virus", "sort=password", "app=%00"])
def test_what_is_unknown_is_refused(client, query):
    response = client.get(f"{API}/addons/?{query}")
    assert response.status_code == 400
    assert "is none of" in response.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/addons/none/",
        "/addons/a%00b/",
        "/addons/?page=0",
        "/addons/?page=99",
        "/addons/?page=x",
        "/categories/0/",
        "/categories/999999999999999999/",
        "/categories/9999999999999999999999/",
        "/reviews/x/",
        "/nothing/",
    ],
)
def test_what_is_not_there(client, path):
    assert client.get(f"{API}{path}").status_code == 404


@pytest.mark.es_tests
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("q=lantern", ["link-lantern"]),
        ("q=lantern&app=thunderbird", ["link-lantern"]),
        ("q=lantern&app=seamonkey", []),
        ("q=reading&kind=theme", ["paper-mill"]),
        ("q=lant%00ern", []),
    ],
)
def test_search(client, query, wanted):
    assert slugs(client, f"/addons/search/?{query}") == wanted


@pytest.mark.es_tests
def test_search_without_words_lists_all(client):
    assert client.get(f"{API}/addons/search/").json()["count"] == 14


def test_categories(client):
    rows = client.get(f"{API}/categories/?app=seamonkey").json()["results"]
    assert {row["app"] for row in rows} == {"seamonkey"}
    assert {"app", "slug", "name", "count"} == set(rows[0])
    assert client.get(f"{API}/categories/?app=netscape").status_code == 400


def test_reviews(client, user, addon):
    made = Review.objects.create(addon=addon, user=user, score=5, body="Yes.")
    rows = client.get(f"{API}/reviews/?addon=tab-gardener").json()["results"]
    assert [(row["id"], row["addon"], row["user"], row["score"]) for row in rows] == [(made.pk, addon.slug, "ada", 5)]
    assert client.get(f"{API}/reviews/?addon=unit-pal").json()["count"] == 0
    assert client.get(f"{API}/reviews/{made.pk}/").json()["body"] == "Yes."


def test_nothing_private_is_told(client, user, addon):
    user.email = "ada@example.org"
    user.save()
    addon.owner = user
    addon.save()
    Review.objects.create(addon=addon, user=user, score=5)
    for path in ["/addons/", "/addons/tab-gardener/", "/reviews/"]:
        text = client.get(f"{API}{path}").content.decode()
        assert "ada" in text
        assert "ada@example.org" not in text
        assert "pbkdf2" not in text


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_is_read_only(member, method):
    for path in ["/addons/", "/addons/tab-gardener/", "/categories/", "/reviews/"]:
        assert getattr(member, method)(f"{API}{path}").status_code == 405


def test_asks_the_database_as_often_for_many_as_for_few(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(5):
        client.get(f"{API}/addons/?page_size=100")
