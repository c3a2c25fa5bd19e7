"""A user submits an add-on."""

import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from catalogue.models import Addon, Category

pytestmark = pytest.mark.django_db

URL = "/en-US/firefox/submit/"


@pytest.fixture
def given(picture):
    """Return what a good form is filled with."""
    return {
        "name": "Night Reader",
        "kind": "theme",
        "apps": ["firefox", "android"],
        "summary": "Dims the page.",
        "description": "At night.",
        "categories": [Category.objects.get(app="firefox", slug="reading").pk],
        "number": "0.1",
        "icon": picture((200, 200)),
        "background": picture((1200, 300), "JPEG"),
    }


def test_needs_a_login(client, given):
    assert client.get(URL)["Location"] == f"/en-US/firefox/users/login/?next={URL}"
    assert client.post(URL, given)["Location"].startswith("/en-US/firefox/users/login/")
    assert not Addon.objects.filter(name="Night Reader").exists()


def test_needs_the_pages_token(user, given):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post(URL, given).status_code == 403


def test_is_in_the_catalogue_then(member, user, given):
    response = member.post(URL, given, follow=True)
    assert response.redirect_chain == [("/en-US/firefox/addon/night-reader/", 302)]
    assert "Night Reader is in the catalogue now." in response.content.decode()
    made = Addon.objects.get(slug="night-reader")
    assert made.owner == user
    assert made.apps == ["firefox", "android"]
    assert [category.slug for category in made.categories.all()] == ["reading"]
    assert [version.number for version in made.versions.all()] == ["0.1"]
    assert "Ada L." in response.content.decode()


def test_pictures_are_made_anew(member, given):
    member.post(URL, given)
    made = Addon.objects.get(slug="night-reader")
    with Image.open(made.icon) as icon, Image.open(made.background) as background:
        assert (icon.format, icon.size) == ("PNG", (128, 128))
        assert (background.format, background.size) == ("JPEG", (1200, 300))
    assert not made.icon.name.endswith("a.png")


def test_nothing_but_the_picture_is_kept(member, given, picture):
    sneaky = picture((64, 64), "PNG", name="../../x.html")
    sneaky = SimpleUploadedFile("../../x.html", sneaky.read() + b"<script>alert(1)</script>", "text/html")
    member.post(URL, {**given, "icon": sneaky, "kind": "extension"})
    made = Addon.objects.filter(slug="night-reader").first()
    assert made is None or (made.icon.name.endswith(".png") and b"<script>" not in made.icon.read())


def _cut(file):
    return SimpleUploadedFile("a.png", file.read()[:-60])


def _huge():
    out = io.BytesIO()
    Image.new("1", (5_000, 5_000)).save(out, "PNG")
    return SimpleUploadedFile("a.png", out.getvalue())


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("icon", lambda picture: SimpleUploadedFile("a.png", b"no picture at all")),
        ("icon", lambda picture: SimpleUploadedFile("a.png", b"")),
        ("icon", lambda picture: SimpleUploadedFile("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
        ("icon", lambda picture: picture((64, 64), "GIF")),
        ("icon", lambda picture: picture((64, 64), "BMP", name="a.png")),
        ("icon", lambda picture: _cut(picture((64, 64)))),
        ("icon", lambda picture: picture((64, 32))),
        ("icon", lambda picture: picture((8, 8))),
        ("icon", lambda picture: _huge()),
        ("icon", lambda picture: SimpleUploadedFile("a.png", picture((64, 64)).read() + b"\0" * 512 * 1024)),
        ("background", lambda picture: picture((1200, 100), "JPEG")),
        ("background", lambda picture: SimpleUploadedFile("a.jpg", b"\xff\xd8\xff\xe0" + b"x" * 100)),
        ("background", lambda picture: SimpleUploadedFile("a.jpg", b"x" * (4 * 1024 * 1024 + 1))),
        ("background", lambda picture: None),
    ],
)
def test_bad_pictures_are_refused(member, given, picture, field, bad):
    sent = {key: value for key, value in {**given, field: bad(picture)}.items() if value is not None}
    response = member.post(URL, sent)
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {field}
    assert not Addon.objects.filter(slug="night-reader").exists()
    assert not default_storage.exists("icons")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("name", ""),
        ("name", "x" * 81),
        ("name", "a\0b"),
        ("summary", ""),
        ("kind", "virus"),
        ("apps", []),
        ("apps", ["firefox", "netscape"]),
        ("number", "1 or 2"),
        ("categories", ["0"]),
        ("categories", ["x"]),
    ],
)
def test_bad_words_are_refused(member, given, field, bad):
    response = member.post(URL, {**given, field: bad})
    assert response.status_code == 200
    assert field in response.context["form"].errors


def test_categories_belong_to_the_apps(member, given):
    given["categories"] = [Category.objects.get(app="thunderbird", slug="calendar").pk]
    assert "categories" in member.post(URL, given).context["form"].errors


@pytest.mark.parametrize(("name", "begins"), [("Tab Gardener", "tab-gardener-"), ("Search", "search-"), ("日本", "addon")])
def test_names_may_be_taken(member, given, name, begins):
    member.post(URL, {**given, "name": name}, follow=True)
    made = Addon.objects.get(name=name, owner__isnull=False)
    assert made.slug.startswith(begins)
    assert made.slug != "search"


def test_any_letter_is_kept(member, given):
    member.post(URL, {**given, "name": "Häkchen 🦊", "summary": "🧶"})
    assert Addon.objects.get(name="Häkchen 🦊").summary == "🧶"
