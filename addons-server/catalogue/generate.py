"""Fills the catalogue with made-up add-ons."""

import itertools
from datetime import timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from catalogue import fresh, made_up, pictures, totals
from catalogue.models import Addon, Category, Support, Version
from lists.models import Collection
from locales.prefixes import App
from ratings.models import Review, Standing
from search import index
from users.models import User

DOMAIN = "made-up.example"
MOST_USERS = 500_000
BATCH = 500


def extensions(chance, number, app):
    """Make up extensions for an app, with all that belongs to them; return them."""
    return _made(chance, number, Addon.Kind.EXTENSION, [app])


def themes(chance, number):
    """Make up themes for all apps, with all that belongs to them; return them."""
    return _made(chance, number, Addon.Kind.THEME, App.values)


def _made(chance, number, kind, apps):
    """Make up add-ons, all of them or none. A picture that was painted for none is left behind.

    They are painted before the transaction begins: nobody who writes into SQLite waits for that.
    """
    taken, now = set(Addon.objects.values_list("slug", flat=True)), timezone.now()
    addons = [_addon(chance, kind, taken, now) for _ in range(number)]
    with transaction.atomic():
        _insert(addons)
        _support(chance, addons, apps)
        _history(chance, addons)
        _opinions(chance, addons)
        index.add(addons)
        totals.count()
    totals.forget()
    fresh.renew()
    return addons


def _insert(addons):
    """Insert the add-ons themselves."""
    Addon.objects.bulk_create(addons, batch_size=BATCH)
    # Not every database tells the keys it gave.
    keys = dict(Addon.objects.filter(guid__endswith=DOMAIN).values_list("guid", "pk"))
    for addon in addons:
        addon.pk = keys[addon.guid]


def _addon(chance, kind, taken, now):
    """Make up one add-on whose slug is not taken yet."""
    name, summary, description = (made_up.theme if kind == Addon.Kind.THEME else made_up.extension)(chance)
    slug = _free(slugify(name), taken)
    addon = Addon(
        guid=f"{slug}@{DOMAIN}",
        slug=slug,
        name=name,
        summary=summary,
        description=description,
        kind=kind,
        users=int(MOST_USERS ** chance.random()),
        hue=chance.randrange(360),
        created=now - timedelta(minutes=chance.randrange(5 * 365 * 24 * 60)),
    )
    addon.icon.save(f"{slug}.png", ContentFile(pictures.icon(chance, addon.hue)), save=False)
    if kind == Addon.Kind.THEME:
        addon.background.save(f"{slug}.jpg", ContentFile(pictures.background(chance, addon.hue)), save=False)
    return addon


def _free(slug, taken):
    """Return a slug that is not taken, and take it."""
    candidates = itertools.chain([slug], (f"{slug}-{number}" for number in itertools.count(2)))
    free = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(free)
    return free


def _support(chance, addons, apps):
    """Put the add-ons into apps, and there into one or two categories each."""
    shelves = {app: categories(app) for app in apps}
    Support.objects.bulk_create((Support(addon=addon, app=app) for addon in addons for app in apps), batch_size=BATCH)
    through = Addon.categories.through
    through.objects.bulk_create(
        (
            through(addon_id=addon.pk, category_id=category.pk)
            for addon in addons
            for app in apps
            for category in chance.sample(shelves[app], chance.randint(1, 2))
        ),
        batch_size=BATCH,
    )


def categories(app):
    """Return the app's categories; where there are none yet, make them."""
    if not Category.objects.filter(app=app).exists():
        Category.objects.bulk_create(Category(app=app, slug=slugify(name), name=name) for name in made_up.CATEGORIES[app])
    return list(Category.objects.filter(app=app))


def _history(chance, addons):
    """Give every add-on some versions."""
    Version.objects.bulk_create(
        (
            Version(addon=addon, number=number, notes=notes, created=addon.created + timedelta(days=20 * past))
            for addon in addons
            for past, (number, notes) in enumerate(made_up.versions(chance))
        ),
        batch_size=BATCH,
    )


def _opinions(chance, addons):
    """Let made-up users review the add-ons, and one of them collect a few."""
    users = people()
    reviews = {addon: [_review(chance, addon, user) for user in chance.sample(users, chance.randint(0, 4))] for addon in addons}
    Review.objects.bulk_create((review for some in reviews.values() for review in some), batch_size=BATCH)
    standings = (
        Standing(addon=addon, average=sum(review.score for review in some) / len(some), reviews=len(some))
        for addon, some in reviews.items()
        if some
    )
    Standing.objects.bulk_create(standings, batch_size=BATCH)
    name, description = made_up.collection(chance)
    collection = Collection.objects.create(owner=chance.choice(users), name=name, description=description)
    collection.addons.set(chance.sample(addons, min(len(addons), 12)))


def _review(chance, addon, user):
    """Make up what a user thinks of an add-on."""
    score, body = made_up.review(chance)
    return Review(addon=addon, user=user, score=score, body=body)


def people():
    """Return the made-up users, who cannot log in; make those that are not there yet."""
    names = made_up.usernames()
    there = set(User.objects.filter(username__in=names).values_list("username", flat=True))
    new = [
        User(username=name, display_name=shown) for name, shown in zip(names, made_up.PEOPLE, strict=True) if name not in there
    ]
    for user in new:
        user.set_unusable_password()
    User.objects.bulk_create(new)
    return list(User.objects.filter(username__in=names).order_by("username"))
