"""Users review add-ons."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from catalogue.models import Addon
from ratings.models import Review, Standing

pytestmark = pytest.mark.django_db

URL = "/en-US/firefox/addon/tab-gardener/"


def test_strangers_are_led_to_log_in(client):
    page = client.get(URL).content.decode()
    assert f'href="/en-US/firefox/users/login/?next={URL}"' in page
    assert "review-form" not in page
    assert client.post(URL, {"score": 5, "body": "x"})["Location"] == f"/en-US/firefox/users/login/?next={URL}"
    assert not Review.objects.exists()


def test_the_form_is_what_it_should_be(member):
    page = member.get(URL).content.decode()
    for part in ['class="form review-form"', '<textarea name="body"', 'type="submit"', 'name="csrfmiddlewaretoken"']:
        assert part in page
    for score in range(1, 6):
        assert f'<input type="radio" name="score" value="{score}"' in page


def test_a_review_is_shown(member):
    response = member.post(URL, {"score": 4, "body": "My tabs <sleep> well. 🌙"}, follow=True)
    assert response.redirect_chain == [(URL, 302)]
    page = response.content.decode()
    assert "My tabs &lt;sleep&gt; well. 🌙" in page
    assert "Ada L." in page
    assert 'data-rating="4"' in page
    assert "Your review is saved." in page


def test_a_review_is_changed_not_doubled(member, user, addon):
    member.post(URL, {"score": 1, "body": "No."})
    member.post(URL, {"score": 5, "body": "Yes!"})
    assert [(review.score, review.body) for review in addon.reviews.all()] == [(5, "Yes!")]
    page = member.get(URL).content.decode()
    assert 'value="5" required checked' in page
    assert "Change your review" in page
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(addon=addon, user=user, score=3)


@pytest.mark.parametrize("score", ["0", "6", "-1", "4.5", "x", "", "999999999999999999999"])
def test_bad_scores_are_refused(member, score):
    response = member.post(URL, {"score": score, "body": "x"})
    assert response.status_code == 200
    assert "form__error" in response.content.decode()
    assert not Review.objects.exists()


@pytest.mark.parametrize("body", ["x" * 4001, "a\0b"])
def test_bad_texts_are_refused(member, body):
    assert "body" in member.post(URL, {"score": 3, "body": body}).context["form"].errors


def test_the_database_refuses_a_bad_score_too(user, addon):
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(addon=addon, user=user, score=6)


def test_another_site_cannot_review(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post(URL, {"score": 1, "body": "x"}).status_code == 403


def test_a_review_is_deleted_by_its_author_alone(client, user, other, addon):
    Review.objects.create(addon=addon, user=user, score=3)
    delete = f"{URL}reviews/delete/"
    assert client.post(delete).status_code == 302
    client.force_login(other)
    assert client.post(delete).status_code == 404
    client.force_login(user)
    assert client.get(delete).status_code == 405
    assert Review.objects.exists()
    assert client.post(delete)["Location"] == URL
    assert not Review.objects.exists()


def test_standing_follows_the_reviews(user, other, addon):
    first = Review.objects.create(addon=addon, user=user, score=5)
    Review.objects.create(addon=addon, user=other, score=2)
    assert Standing.objects.values_list("average", "reviews").get(addon=addon) == (3.5, 2)
    first.delete()
    assert Standing.objects.values_list("average", "reviews").get(addon=addon) == (2.0, 1)
    other.delete()
    assert Standing.objects.values_list("average", "reviews").get(addon=addon) == (0, 0)


@pytest.mark.parametrize("bulk", [False, True])
def test_an_addon_takes_its_reviews_along(user, addon, bulk):
    Review.objects.create(addon=addon, user=user, score=5)
    if bulk:
        Addon.objects.filter(pk=addon.pk).delete()
    else:
        addon.delete()
    assert not Review.objects.exists()
    assert not Standing.objects.exists()


def test_standings_are_counted_anew(user, addon, capsys):
    Review.objects.bulk_create([Review(addon=addon, user=user, score=5)])
    call_command("cron", "standings")
    assert "1 add-ons have reviews" in capsys.readouterr().out
    assert Standing.objects.get().average == 5
    Review.objects.all()._raw_delete("default")
    call_command("cron", "standings")
    assert Standing.objects.get().reviews == 0


def test_all_reviews_by_score(client, user, other, addon):
    Review.objects.create(addon=addon, user=user, score=5, body="Splendid.")
    Review.objects.create(addon=addon, user=other, score=1, body="Dreadful.")
    page = client.get(f"{URL}reviews/?score=5").content.decode()
    assert "Splendid." in page
    assert "Dreadful." not in page
    for query in ["score=9", "score=%00", "page=x"]:
        assert "Dreadful." in client.get(f"{URL}reviews/?{query}").content.decode()


def test_german_numbers_do_not_break_the_stars(client, user, other, addon):
    Review.objects.create(addon=addon, user=user, score=5)
    Review.objects.create(addon=addon, user=other, score=4)
    assert 'data-rating="4.5"' in client.get("/de/firefox/addon/tab-gardener/").content.decode()
