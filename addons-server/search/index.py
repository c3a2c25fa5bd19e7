"""Keeps the index: an inverted one, of our own, so that it is the same in every database.

A search server has a copy of it, where there is one.
"""

from collections import Counter
from functools import partial

from django.db import transaction
from django.db.models import Case, IntegerField, OuterRef, Q, Subquery, Sum, When

from catalogue.models import Addon
from search import engine
from search.engine import WEIGHTS
from search.models import HEAD, Entry
from search.words import terms

HEAVIEST = 1000
MOST_WORDS = 8
BATCH = 1000


def update(addon):
    """Write the entries of an add-on anew."""
    with transaction.atomic():
        Addon.objects.select_for_update().filter(pk=addon.pk).values("pk").first()
        Entry.objects.filter(addon=addon).delete()
        add([addon])


def add(addons):
    """Write the entries of add-ons that have none; return how many."""
    transaction.on_commit(partial(engine.put, addons))
    return _enter(addons)


def _enter(addons):
    return len(Entry.objects.bulk_create((entry for addon in addons for entry in _entries(addon)), batch_size=BATCH))


def rebuild():
    """Write the whole index anew, while search goes on with the old one; return the number of add-ons and of entries.

    The add-ons are locked first: who saves one of them at the same time writes its entries after us.
    """
    with transaction.atomic():
        addons = list(Addon.objects.select_for_update().order_by("pk"))
        Entry.objects.all().delete()
        entries = _enter(addons)
        engine.rebuild(addons)
        return len(addons), entries


def _entries(addon):
    """Yield the entries of an add-on: a word weighs more where fewer words stand."""
    weights = Counter()
    for field, weight in WEIGHTS.items():
        for term in terms(getattr(addon, field)):
            weights[term] += weight
    for term, weight in weights.items():
        yield Entry(addon=addon, head=term[:HEAD], term=term, weight=min(weight, HEAVIEST))


def find(addons, text):
    """Return the add-ons in which all words of the text occur or begin a word, with their relevance.

    A text without words finds all.
    """
    asked_for = list(dict.fromkeys(terms(text)))[:MOST_WORDS]
    scores = engine.scores(asked_for, HEAD)
    if scores is not None:
        return _scored(addons, scores)
    words = [_like(term) for term in asked_for]
    for like in words:
        addons = addons.filter(pk__in=Entry.objects.filter(like).values("addon"))
    return addons.annotate(relevance=_relevance(words)) if words else addons


def _scored(addons, scores):
    """Return those of the add-ons that a search server has found, with their scores. Few scores differ."""
    relevance = Case(*[When(pk__in=keys, then=score) for score, keys in scores.items()], default=0, output_field=IntegerField())
    return addons.filter(pk__in=[key for keys in scores.values() for key in keys]).annotate(relevance=relevance)


def _like(term):
    """Return what an entry has to be to fit a word. Short words have to be whole: they begin too many others."""
    if len(term) < HEAD:
        return Q(head=term, term=term)
    return Q(head=term[:HEAD], term__startswith=term)


def _relevance(words):
    """Return an expression for the weight of the words in an add-on."""
    any_of_them = Q()
    for like in words:
        any_of_them |= like
    weights = Entry.objects.filter(any_of_them, addon=OuterRef("pk")).order_by().values("addon")
    return Subquery(weights.annotate(sum=Sum("weight")).values("sum"))
