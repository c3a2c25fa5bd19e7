"""People have accounts."""

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from lists.models import Collection
from users.models import User

pytestmark = pytest.mark.django_db

SIGNUP = "/en-US/firefox/users/signup/"
LOGIN = "/de/firefox/users/login/"
GOOD = {"username": "carla", "password1": "counting frame", "password2": "counting frame"}


def test_signing_up_logs_in(client):
    response = client.post(SIGNUP, GOOD, follow=True)
    assert response.redirect_chain == [("/en-US/firefox/users/profile/", 302)]
    assert response.context["user"].username == "carla"
    assert "Welcome!" in response.content.decode()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "a\0b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "ada"}, "username"),
        ({"username": "ADA"}, "username"),
        ({"password2": "another"}, "password2"),
        ({"password1": "12345678", "password2": "12345678"}, "password2"),
        ({"password1": "short", "password2": "short"}, "password2"),
        ({"password1": "password", "password2": "password"}, "password2"),
        ({"display_name": "x" * 61}, "display_name"),
    ],
)
def test_signing_up_with_nonsense_is_refused(client, user, changed, field):
    response = client.post(SIGNUP, GOOD | changed)
    assert response.status_code == 200
    assert field in response.context["form"].errors
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        ("/de/firefox/addon/tab-gardener/", "/de/firefox/addon/tab-gardener/"),
        ("https://evil.example/", "/en-US/firefox/users/profile/"),
        ("//evil.example/", "/en-US/firefox/users/profile/"),
        ("javascript:alert(1)", "/en-US/firefox/users/profile/"),
        ("", "/en-US/firefox/users/profile/"),
    ],
)
def test_signing_up_leads_back_but_not_away(client, wanted, led):
    assert client.post(SIGNUP, {**GOOD, "next": wanted})["Location"] == led


def test_logging_in_and_out(client, user):
    given = {"username": "ada", "password": "analytical engine", "next": "/de/firefox/addon/tab-gardener/"}
    assert client.post(LOGIN, given)["Location"] == given["next"]
    assert client.get("/de/firefox/").context["user"] == user
    assert client.get("/de/firefox/users/logout/").status_code == 405
    assert client.post("/de/firefox/users/logout/")["Location"] == "/de/firefox/"
    assert not client.get("/de/firefox/").context["user"].is_authenticated


def test_logging_in_leads_nowhere_else(client, user):
    given = {"username": "ada", "password": "analytical engine", "next": "https://evil.example/"}
    assert client.post(LOGIN, given)["Location"] == "/de/firefox/users/profile/"


def test_a_wrong_password_is_refused(client, user):
    response = client.post(LOGIN, {"username": "ada", "password": "wrong"})
    assert response.status_code == 200
    assert response.context["form"].errors


def test_the_way_to_log_in_is_kept_when_signing_up_instead(client):
    page = client.get(f"{LOGIN}?next=/de/firefox/submit/").content.decode()
    assert 'href="/de/firefox/users/signup/?next=%2Fde%2Ffirefox%2Fsubmit%2F"' in page
    assert 'value="/de/firefox/submit/"' in page


def test_forms_need_the_pages_token(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    for name in ["signup", "login", "logout", "profile_edit", "collection_create"]:
        assert client.post(reverse(name), GOOD).status_code == 403


def test_a_form_works_behind_a_port():
    """A browser sends host and origin with the port; both reach us, so they agree."""
    client = Client(enforce_csrf_checks=True, headers={"host": "live.localhost:8080"})
    client.get(SIGNUP)
    token = client.cookies["csrftoken"].value
    headers = {"origin": "http://live.localhost:8080"}
    assert client.post(SIGNUP, {**GOOD, "csrfmiddlewaretoken": token}, headers=headers).status_code == 302


def test_profile_is_for_oneself(client):
    assert client.get("/de/firefox/users/profile/")["Location"] == f"{LOGIN}?next=/de/firefox/users/profile/"


def test_others_see_what_is_public(client, user, addon):
    Collection.objects.create(owner=user, name="Seen by all")
    Collection.objects.create(owner=user, name="For me alone", public=False)
    addon.reviews.create(user=user, score=4, body="Good soil.")
    path = reverse("user", args=["ada"])
    page = client.get(path).content.decode()
    assert "Seen by all" in page
    assert "Good soil." in page
    assert "For me alone" not in page
    client.force_login(user)
    assert "For me alone" in client.get(path).content.decode()


@pytest.mark.parametrize("name", ["nobody", "a%00b", "a%0Ab", "..%2f"])
def test_unknown_users(client, name):
    assert client.get(f"/en-US/firefox/user/{name}/").status_code == 404


def test_who_left_is_not_shown(client, user):
    User.objects.update(is_active=False)
    assert client.get("/en-US/firefox/user/ada/").status_code == 404


def test_profile_is_changed(member, user, picture):
    given = {"display_name": "Countess", "email": "ada@example.org", "avatar": picture((300, 300), "JPEG")}
    page = member.post("/en-US/firefox/users/edit/", given, follow=True).content.decode()
    user.refresh_from_db()
    assert "Countess" in page
    assert user.avatar.url in page
    with Image.open(user.avatar) as avatar:
        assert (avatar.format, avatar.size) == ("PNG", (128, 128))


def test_profile_keeps_its_avatar_and_lets_go_of_it(member, user, picture):
    url = "/en-US/firefox/users/edit/"
    member.post(url, {"avatar": picture((300, 300))})
    user.refresh_from_db()
    kept = user.avatar.name
    member.post(url, {"display_name": "Countess"})
    user.refresh_from_db()
    assert user.avatar.name == kept
    member.post(url, {"avatar-clear": "on"})
    user.refresh_from_db()
    assert not user.avatar


def test_a_bad_avatar_is_refused(member, user, picture):
    response = member.post("/en-US/firefox/users/edit/", {"display_name": "Countess", "avatar": picture((300, 20))})
    assert "avatar" in response.context["form"].errors
    user.refresh_from_db()
    assert user.display_name == "Ada L."


def test_cookies_and_headers_are_safe(client, user):
    client.post(LOGIN, {"username": "ada", "password": "analytical engine"})
    response = client.get("/en-US/firefox/")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["sessionid"]["samesite"] == "Lax"
