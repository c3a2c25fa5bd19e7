"""Jobs are run by name."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalogue.models import Category

pytestmark = pytest.mark.django_db


def test_category_totals(capsys):
    call_command("cron", "category_totals")
    assert "categories changed" in capsys.readouterr().out
    for category in Category.objects.all():
        assert category.count == category.addons.count()
    call_command("cron", "category_totals")
    assert capsys.readouterr().out == "category_totals: 0 categories changed\n"


def test_expired_sessions():
    now = timezone.now()
    for key, days in [("old", -1), ("new", 1)]:
        Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(days=days))
    call_command("cron", "expired_sessions")
    assert [session.session_key for session in Session.objects.all()] == ["new"]


@pytest.mark.parametrize("name", ["nonsense", "", "__class__"])
def test_an_unknown_job_lists_the_known_ones(name):
    with pytest.raises(CommandError) as caught:
        call_command("cron", name)
    for known in ["category_totals", "expired_sessions", "standings", "Count the add-ons of every category."]:
        assert known in str(caught.value)


def test_no_job_lists_the_known_ones():
    with pytest.raises(CommandError, match="category_totals"):
        call_command("cron")
