"""What the address of every page begins with: a locale and an app, as in /de/thunderbird/."""

import re
from dataclasses import dataclass

from django.db import models
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext_lazy as _


class App(models.TextChoices):
    """The programs that add-ons are made for."""

    FIREFOX = "firefox", _("Firefox")
    THUNDERBIRD = "thunderbird", _("Thunderbird")
    ANDROID = "android", _("Firefox for Android")
    SEAMONKEY = "seamonkey", _("SeaMonkey")


# By locale as it stands in addresses: Django's language code, and the language's name in itself.
LOCALES = {"en-US": ("en-us", "English (US)"), "de": ("de", "Deutsch")}

# What has no prefix: it is for machines, or in one language. The last ones come from nginx where there is one.
BESIDE = ("admin", "api", "healthz", "static", "media", "favicon.ico", "robots.txt")

_LIKE_A_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?")


@dataclass(frozen=True)
class Prefix:
    """A locale and an app."""

    locale: str
    app: str

    @property
    def path(self):
        """Return the prefix as the address holds it, from after the first slash on."""
        return f"{self.locale}/{self.app}/"

    @property
    def language(self):
        """Return Django's code of the language."""
        return LOCALES[self.locale][0]


DEFAULT = Prefix("en-US", App.FIREFOX.value)


def split(path):
    """Return locale, app and the rest of a path; of what the path does not name, None.

    An unknown locale is taken away, as long as it looks like one: the page behind it is shown in another language.
    """
    locale, rest = _locale(path.lstrip("/"))
    first, _slash, behind = rest.partition("/")
    return (locale, first, behind) if first in App.values else (locale, None, rest)


def _locale(path):
    """Return the known locale that a path begins with, and what follows it."""
    first, _slash, rest = path.partition("/")
    known = {locale.lower(): locale for locale in LOCALES}.get(first.lower())
    if known or _LIKE_A_LOCALE.fullmatch(first) and first not in BESIDE:
        return known, rest
    return None, path


def accepted(request):
    """Return the locale that suits a visitor best, by what the browser asks for."""
    language = get_language_from_request(request)
    return next((locale for locale, (code, _name) in LOCALES.items() if code == language), DEFAULT.locale)
