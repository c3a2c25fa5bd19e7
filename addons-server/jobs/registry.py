"""What is done from time to time, by name."""

from django.contrib.sessions.models import Session
from django.utils import timezone

from catalogue import totals
from ratings.models import count_all

JOBS = {}


def job(function):
    """Make a function known by its name. It returns what it did, in words."""
    JOBS[function.__name__] = function
    return function


@job
def category_totals():
    """Count the add-ons of every category."""
    return f"{totals.count()} categories changed"


@job
def standings():
    """Count the reviews of every add-on."""
    return f"{count_all()} add-ons have reviews"


@job
def expired_sessions():
    """Delete the sessions that nobody can use any more."""
    deleted, _models = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return f"{deleted} sessions deleted"
