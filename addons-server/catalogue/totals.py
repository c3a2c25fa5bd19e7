"""How many add-ons there are in each category."""

from django.core.cache import cache
from django.db.models import Count

from catalogue.models import Category
from locales.prefixes import App


def of(app):
    """Return the categories of an app as dictionaries, from the cache when they are there."""
    return cache.get_or_set(_key(app), lambda: list(Category.objects.filter(app=app).values("slug", "name", "count")))


def count():
    """Count the add-ons of every category anew; return how many categories changed."""
    counted = Category.objects.annotate(counted=Count("addons"))
    changed = [category for category in counted if category.count != category.counted]
    for category in changed:
        Category.objects.filter(pk=category.pk).update(count=category.counted)
    forget()
    return len(changed)


def forget():
    """Have the next page ask the database."""
    cache.delete_many([_key(app) for app in App.values])


def _key(app):
    return f"totals:{app}"
