"""Every page has a locale and an app in its address."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("asked", "language", "led"),
    [
        ("/", "", "/en-US/firefox/"),
        ("/", "de", "/de/firefox/"),
        ("/", "de-AT,en;q=0.5", "/de/firefox/"),
        ("/", "fr;q=0.9,de;q=0.5", "/de/firefox/"),
        ("/", "en-GB", "/en-US/firefox/"),
        ("/", "nonsense;;;q=x", "/en-US/firefox/"),
        ("/firefox/", "de", "/de/firefox/"),
        ("/firefox", "", "/en-US/firefox/"),
        ("/thunderbird/search/?q=a%26b&page=2", "de", "/de/thunderbird/search/?q=a%26b&page=2"),
        ("/en-US/", "de", "/en-US/firefox/"),
        ("/en-US", "de", "/en-US/firefox/"),
        ("/de/addon/tab-gardener/?x", "", "/de/firefox/addon/tab-gardener/?x"),
        ("/addon/tab-gardener/", "", "/en-US/firefox/addon/tab-gardener/"),
        ("/en-us/android/", "", "/en-US/android/"),
        ("/DE/firefox/browse/", "", "/de/firefox/browse/"),
        ("/fr/firefox/browse/?kind=theme", "de", "/de/firefox/browse/?kind=theme"),
        ("/pt-BR/browse/", "", "/en-US/firefox/browse/"),
        ("/xx/", "", "/en-US/firefox/"),
        ("/en-US/firefox", "", "/en-US/firefox/"),
        ("/grüße/", "", "/en-US/firefox/gr%C3%BC%C3%9Fe/"),
        ("/%5Cevil.example/", "", "/en-US/firefox/%5Cevil.example/"),
        ("/%0d%0aSet-Cookie:x", "", "/en-US/firefox/%0D%0ASet-Cookie:x"),
    ],
)
def test_leads_to_the_full_address(client, asked, language, led):
    response = client.get(asked, headers={"accept-language": language})
    assert (response.status_code, response["Location"]) == (302, led)
    assert "Accept-Language" in response["Vary"]


def test_leads_to_no_other_host(client):
    assert client.get("/", PATH_INFO="//evil.example/")["Location"] == "/en-US/firefox/evil.example/"
    assert client.get("/", PATH_INFO="/fr//evil.example/")["Location"] == "/en-US/firefox/evil.example/"


def test_a_sent_form_is_sent_on(client):
    response = client.post("/addon/tab-gardener/", {"score": 5})
    assert (response.status_code, response["Location"]) == (307, "/en-US/firefox/addon/tab-gardener/")


@pytest.mark.parametrize("path", ["/healthz", "/admin/login/", "/api/v1/addons/"])
def test_machines_need_no_prefix(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/en-US/firefox/healthz", "/en-US/firefox/admin/", "/favicon.ico", "/de/firefox/de/firefox/"])
def test_what_is_not_there(client, path):
    assert client.get(path).status_code == 404


def test_a_missing_slash_is_added(client):
    response = client.get("/de/android/browse?kind=theme")
    assert (response.status_code, response["Location"]) == (301, "/de/android/browse/?kind=theme")


def test_works_below_a_script_name(client):
    response = client.get("/de/", SCRIPT_NAME="/shop", PATH_INFO="/de/")
    assert response["Location"] == "/shop/de/firefox/"


def test_names_lead_to_the_same_prefix(client):
    page = client.get("/de/seamonkey/").content.decode()
    assert 'href="/de/seamonkey/browse/' in page
    assert "/en-US/" not in page.split("<main")[1].split("</main>")[0]


def test_names_outside_a_request_lead_to_the_default(client):
    client.get("/de/seamonkey/")
    assert reverse("home") == "/en-US/firefox/"


def test_switches_keep_the_page(client):
    context = client.get("/de/android/search/?q=a%26b").context
    assert {one["code"]: one["url"] for one in context["locales"]} == {
        "en-US": "/en-US/android/search/?q=a%26b",
        "de": "/de/android/search/?q=a%26b",
    }
    assert [one["url"] for one in context["apps"] if one["slug"] == "seamonkey"] == ["/de/seamonkey/search/?q=a%26b"]
    assert context["current_app"]["slug"] == "android"
    assert [one["code"] for one in context["locales"] if one["current"]] == ["de"]


def test_a_page_says_its_language(client):
    assert client.get("/de/firefox/")["Content-Language"] == "de"


def test_requests_at_the_same_time_keep_apart():
    """Each coroutine has its own addresses and language."""

    async def asked(prefix):
        page = (await AsyncClient().get(f"/{prefix}/browse/?kind=nonsense")).content.decode()
        return {other for other in prefixes if f'href="/{other}/addon/' in page}

    async def all_asked():
        answers = await asyncio.gather(*[asked(prefix) for prefix in prefixes * 3])
        await sync_to_async(connections.close_all)()
        return answers

    prefixes = ["de/firefox", "en-US/firefox", "de/android", "en-US/seamonkey"]
    assert asyncio.run(all_asked()) == [{prefix} for prefix in prefixes * 3]
