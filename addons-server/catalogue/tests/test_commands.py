"""Commands fill the catalogue."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils.text import slugify
from PIL import Image

from catalogue import made_up
from catalogue.models import Addon, Category, Support, Version
from lists.models import Collection
from ratings.models import Review, Standing
from users.models import User

pytestmark = pytest.mark.django_db

MADE = {"guid__endswith": "made-up.example"}


def generate(*args):
    """Run a command that generates, quietly."""
    call_command(*[str(arg) for arg in args], verbosity=0)


def said(**narrowed):
    """Return what the made-up add-ons say."""
    found = Addon.objects.filter(**MADE, **narrowed).order_by("pk")
    return list(found.values_list("name", "summary", "description", "users", "hue"))


def standings():
    """Return all standings. MySQL reckons an average to four places."""
    return [(one.pk, round(one.average, 3), one.reviews) for one in Standing.objects.order_by("pk")]


def test_extensions_are_whole(client, capsys):
    call_command("generate_addons", "30", app="thunderbird")
    assert capsys.readouterr().out == "30 extensions made up for thunderbird\n"
    made = Addon.objects.filter(**MADE)
    assert made.count() == 30
    for addon in made:
        assert (addon.kind, addon.apps) == ("extension", ["thunderbird"])
        assert addon.versions.exists()
        assert {category.app for category in addon.categories.all()} == {"thunderbird"}
        with Image.open(addon.icon) as icon:
            assert (icon.format, icon.size) == ("PNG", (128, 128))
    assert Review.objects.filter(addon__in=made).exists()
    assert Collection.objects.get().addons.exists()
    assert client.get("/de/thunderbird/").status_code == 200
    assert client.get(made[0].get_absolute_url().replace("firefox", "thunderbird")).status_code == 200


def test_themes_are_made_for_every_app():
    generate("generate_themes", 3)
    for addon in Addon.objects.filter(**MADE):
        assert addon.kind == "theme"
        assert len(addon.apps) == 4
        with Image.open(addon.background) as background:
            assert (background.format, background.size) == ("JPEG", (1400, 280))
            assert len(set(background.resize((20, 4)).get_flattened_data())) > 10


def test_the_same_seed_makes_up_the_same(settings, tmp_path):
    runs = []
    for run in range(2):
        settings.MEDIA_ROOT = tmp_path / str(run)
        generate("generate_addons", "--app", "firefox", 8, "--seed", "x")
        generate("generate_themes", 2, "--seed", "x")
        runs.append((said(), [addon.icon.read() for addon in Addon.objects.filter(**MADE).order_by("pk")]))
        Addon.objects.filter(**MADE).delete()
    assert runs[0] == runs[1]


def test_another_seed_makes_up_something_else():
    generate("generate_addons", "--app", "firefox", 5, "--seed", "x")
    generate("generate_addons", "--app", "android", 5, "--seed", "y")
    assert said(support__app="firefox") != said(support__app="android")


def test_again_makes_up_more():
    for total in (6, 12, 18):
        generate("generate_addons", "--app", "seamonkey", 6, "--seed", "x")
        assert Addon.objects.filter(**MADE).count() == total


def test_totals_and_standings_are_counted():
    generate("generate_addons", "--app", "android", 20)
    assert sum(Category.objects.filter(app="android").values_list("count", flat=True)) > 20
    before = standings()
    assert before
    call_command("cron", "standings")
    assert standings() == before


@pytest.mark.es_tests
def test_what_is_made_up_is_found(client):
    generate("generate_addons", "--app", "firefox", 3)
    for addon in Addon.objects.filter(**MADE):
        assert addon.name in client.get("/en-US/firefox/search/", {"q": addon.name}).content.decode()


def test_nobody_can_log_in_as_a_made_up_user():
    generate("generate_themes", 2)
    made = User.objects.filter(username__startswith="made-up-")
    assert made.exists()
    assert not any(user.has_usable_password() for user in made)


def test_works_without_the_fixture():
    Category.objects.all().delete()
    generate("generate_addons", "--app", "firefox", 2)
    assert Category.objects.filter(app="firefox").count() == len(made_up.CATEGORIES["firefox"])


@pytest.mark.parametrize(
    "args",
    [
        ("generate_addons", "5"),
        ("generate_addons", "--app", "netscape", "5"),
        ("generate_addons", "--app", "", "5"),
        ("generate_addons", "--app", "firefox"),
        ("generate_addons", "--app", "firefox", "0"),
        ("generate_addons", "--app", "firefox", "-5"),
        ("generate_addons", "--app", "firefox", "5.5"),
        ("generate_addons", "--app", "firefox", "many"),
        ("generate_addons", "--app", "firefox", "1000000000000"),
        ("generate_themes", "0"),
        ("generate_themes", "²"),
    ],
)
def test_nonsense_is_refused(args):
    before = Addon.objects.count()
    with pytest.raises(CommandError):
        call_command(*args)
    assert Addon.objects.count() == before


def test_all_or_nothing(monkeypatch):
    monkeypatch.setattr(made_up, "collection", lambda chance: 1 / 0)
    before = Addon.objects.count(), User.objects.count()
    with pytest.raises(ZeroDivisionError):
        generate("generate_themes", 2)
    assert (Addon.objects.count(), User.objects.count()) == before


def test_the_fixture_loaded_again_loses_nothing(user, other):
    addon = Addon.objects.get(slug="paper-mill")
    addon.reviews.create(user=user, score=4, body="Good paper.")
    collection = Collection.objects.create(owner=other, name="Paper")
    collection.addons.add(addon)
    call_command("cron", "category_totals")
    before = [list(model.objects.order_by("pk").values()) for model in (Category, Review, Standing, Support, Version)]
    call_command("loaddata", "initial", verbosity=0)
    after = [list(model.objects.order_by("pk").values()) for model in (Category, Review, Standing, Support, Version)]
    assert before == after
    assert list(collection.addons.all()) == [addon]
    assert Category.objects.get(app="firefox", slug="tabs").count == 1


def test_the_fixture_holds_no_user_and_every_category():
    path = Path(__file__).resolve().parent.parent / "fixtures" / "initial.json"
    rows = json.loads(path.read_text())
    assert {row["model"] for row in rows} == {
        "catalogue.category",
        "catalogue.addon",
        "catalogue.support",
        "catalogue.version",
    }
    held = {(row["fields"]["app"], row["fields"]["slug"]) for row in rows if row["model"] == "catalogue.category"}
    assert held == {(app, slugify(name)) for app, names in made_up.CATEGORIES.items() for name in names}
