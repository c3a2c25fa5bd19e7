"""Users collect add-ons."""

import pytest

from lists.models import Collection

pytestmark = pytest.mark.django_db

ALL = "/en-US/firefox/collections/"


@pytest.fixture
def own(user):
    """Return a collection of the user."""
    return Collection.objects.create(owner=user, name="Reading room", public=False)


def test_a_collection_is_made(member, user):
    response = member.post(f"{ALL}new/", {"name": "Work 🧰", "description": "Every day.", "public": "on"}, follow=True)
    made = Collection.objects.get()
    assert response.redirect_chain == [(f"{ALL}{made.pk}/", 302)]
    assert (made.owner, made.public, made.name) == (user, True, "Work 🧰")
    assert "Work 🧰" in member.get(ALL).content.decode()


def test_a_collection_is_made_for_an_addon(member, addon):
    assert "Tab Gardener will be the first" in member.get(f"{ALL}new/?addon=tab-gardener").content.decode()
    member.post(f"{ALL}new/", {"name": "Garden", "addon": "tab-gardener"})
    assert list(Collection.objects.get().addons.all()) == [addon]


@pytest.mark.parametrize("query", ["addon=none", "addon=%00", "addon=%FF"])
def test_making_one_takes_any_query(member, query):
    assert member.get(f"{ALL}new/?{query}").status_code == 200


@pytest.mark.parametrize("name", ["", "x" * 81, "a\0b"])
def test_bad_names_are_refused(member, name):
    assert "name" in member.post(f"{ALL}new/", {"name": name}).context["form"].errors


def test_an_addon_is_put_in_and_taken_out(member, own, addon):
    collect = f"{addon.get_absolute_url()}collect/"
    response = member.post(collect, {"collection": own.pk}, follow=True)
    assert "Tab Gardener is in Reading room now." in response.content.decode()
    member.post(collect, {"collection": own.pk})
    assert list(own.addons.all()) == [addon]
    member.post(f"{ALL}{own.pk}/remove/tab-gardener/")
    assert not own.addons.exists()


def test_nobody_touches_what_is_anothers(client, own, other, addon):
    collect, remove = f"{addon.get_absolute_url()}collect/", f"{ALL}{own.pk}/remove/tab-gardener/"
    own.addons.add(addon)
    for path in (collect, remove, f"{ALL}new/"):
        assert "/users/login/" in client.post(path, {"collection": own.pk, "name": "x"})["Location"]
    client.force_login(other)
    response = client.post(collect, {"collection": own.pk}, follow=True)
    assert "Choose one of your collections." in response.content.decode()
    assert client.post(remove).status_code == 404
    assert list(own.addons.all()) == [addon]


@pytest.mark.parametrize("chosen", ["", "x", "0", "99999999999999999999999999"])
def test_nonsense_is_refused(member, own, addon, chosen):
    member.post(f"{addon.get_absolute_url()}collect/", {"collection": chosen})
    assert not own.addons.exists()


def test_private_ones_are_for_their_owner(client, own, user, other):
    for visitor in (None, other):
        if visitor:
            client.force_login(visitor)
        assert client.get(f"{ALL}{own.pk}/").status_code == 404
        assert "Reading room" not in client.get(ALL).content.decode()
    client.force_login(user)
    assert client.get(f"{ALL}{own.pk}/").status_code == 200
    assert "Reading room" in client.get(ALL).content.decode()


@pytest.mark.parametrize("number", ["0", "999", "99999999999999999999999999"])
def test_unknown(client, number):
    assert client.get(f"{ALL}{number}/").status_code == 404


def test_only_the_owner_is_offered_to_take_out(client, own, user, addon):
    own.public = True
    own.save()
    own.addons.add(addon)
    assert "/remove/" not in client.get(f"{ALL}{own.pk}/").content.decode()
    client.force_login(user)
    assert "/remove/" in client.get(f"{ALL}{own.pk}/").content.decode()
