"""The form to submit an add-on."""

import uuid

from django import forms
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from catalogue.models import Addon, Category, Support, Version
from catalogue.uploads import Picture
from locales.prefixes import App

ICON = Picture(most_bytes=512 * 1024, size=(128, 128), square=True, format="PNG")
BACKGROUND = Picture(most_bytes=4 * 1024 * 1024, size=(3000, 600), format="JPEG", least=200)

# Stands in the API where an add-on's slug would.
RESERVED = {"search"}


class SubmitForm(forms.ModelForm):
    """A new add-on with its first version."""

    apps = forms.MultipleChoiceField(label=_("Made for"), choices=App, widget=forms.CheckboxSelectMultiple)
    number = forms.RegexField(
        r"^[0-9A-Za-z.+_-]+$",
        label=_("Version"),
        max_length=32,
        error_messages={"invalid": _("A version is made of letters, digits and . + _ -")},
    )

    class Meta:
        """What its author tells."""

        model = Addon
        fields = ["name", "kind", "apps", "summary", "description", "categories", "number", "icon", "background"]
        widgets = {"description": forms.Textarea({"rows": 8}), "summary": forms.Textarea({"rows": 2})}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["categories"].choices = _categories_by_app()

    def clean_icon(self):
        """Keep only a square picture, made small."""
        return ICON.cleaned(self.cleaned_data["icon"])

    def clean_background(self):
        """Keep only a picture, no wider than a window."""
        return BACKGROUND.cleaned(self.cleaned_data["background"])

    def clean(self):
        """See whether the parts fit each other."""
        given = super().clean()
        if given.get("kind") == Addon.Kind.THEME and not given.get("background") and "background" not in self.errors:
            self.add_error("background", _("A theme needs a background."))
        strange = [category for category in given.get("categories", []) if category.app not in given.get("apps", [])]
        if strange and "apps" in given:
            self.add_error("categories", _("Choose only categories of the apps that it is made for."))
        return given

    def save(self, owner):
        """Make the add-on, whole or not at all."""
        addon = self.instance
        addon.owner, addon.guid, addon.hue = owner, f"{{{uuid.uuid4()}}}", uuid.uuid4().int % 360
        slug = slugify(addon.name)[:70] or "addon"
        try:
            return self._saved(addon, slug if slug not in RESERVED else _other(slug))
        except IntegrityError:
            return self._saved(addon, _other(slug))

    def _saved(self, addon, slug):
        with transaction.atomic():
            addon.slug = slug
            addon.save(force_insert=True)
            addon.categories.set(self.cleaned_data["categories"])
            Support.objects.bulk_create(Support(addon=addon, app=app) for app in self.cleaned_data["apps"])
            Version.objects.create(addon=addon, number=self.cleaned_data["number"])
        return addon


def _other(slug):
    """Return a slug that nobody else has."""
    return f"{slug}-{uuid.uuid4().hex[:8]}"


def _categories_by_app():
    """Return all categories as choices, grouped by app."""
    found = list(Category.objects.all())
    return [(app.label, [(c.pk, c.name) for c in found if c.app == app]) for app in App]
