"""The pages are in two languages."""

import re
import shutil

import pytest
from django.core.management import CommandError, call_command

from locales import messages


@pytest.fixture
def copy(settings, tmp_path):
    """Return a copy of the translations that is not compiled yet, and in use."""
    # files of a build may be read-only, and a copy is to be written to
    shutil.copytree(
        settings.LOCALE_PATHS[0], tmp_path / "locale", ignore=shutil.ignore_patterns("*.mo"), copy_function=shutil.copyfile
    )
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    return tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po"


def test_every_text_is_translated(copy, capsys):
    call_command("compile_translations", check=True)
    assert "is complete" in capsys.readouterr().out


def test_texts_are_found_in_code_and_templates():
    used = messages.used()
    assert {"Thank you! Your review is saved.", "Sort by", "Firefox for Android"} <= set(used)
    assert ("%(found)s add-on", "%(found)s add-ons") in used


def test_translations_take_the_same_values(copy):
    for message in messages.catalogue(copy):
        texts = message.string if message.pluralizable else [message.string]
        source = message.id[-1] if message.pluralizable else message.id
        for text in texts if message.id else []:
            assert sorted(re.findall(r"%\(\w+\)\w", text)) == sorted(re.findall(r"%\(\w+\)\w", source))


@pytest.mark.django_db
def test_pages_are_english_until_the_translations_are_compiled(client, copy):
    assert "Popular extensions" in client.get("/de/firefox/").content.decode()


@pytest.mark.django_db
def test_pages_are_german_then(client, copy, capsys):
    call_command("compile_translations")
    assert capsys.readouterr().out.strip() == str(copy.with_suffix(".mo"))
    page = client.get("/de/firefox/").content.decode()
    assert "Beliebte Erweiterungen" in page
    assert "Popular extensions" not in page
    assert "Popular extensions" in client.get("/en-US/firefox/").content.decode()
    assert "184.203 Nutzer" in page
    assert (
        "Dieses Feld ist zwingend erforderlich" in client.post("/de/firefox/users/signup/", {"username": ""}).content.decode()
    )


def test_what_is_missing_is_named(copy):
    copy.write_text(copy.read_text().replace('msgid "Sort by"', 'msgid "Sort"'))
    with pytest.raises(CommandError, match="Sort by"):
        call_command("compile_translations", check=True)
