"""Tests of the catalogue's pages."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client, TestCase, override_settings
from django.urls import reverse

from catalogue.models import Addon, Vote


class PagesTest(TestCase):
    """What a visitor sees."""

    fixtures = ["initial"]

    def test_root_leads_home(self):
        self.assertRedirects(self.client.get("/"), "/en-US/firefox/")

    def test_home_shows_both_kinds(self):
        response = self.client.get("/en-US/firefox/")
        self.assertContains(response, "Tab Gardener")
        self.assertContains(response, "Harbour at Dusk")

    def test_list_shows_all(self):
        response = self.client.get("/en-US/firefox/addons/")
        for addon in Addon.objects.all():
            self.assertContains(response, addon.get_absolute_url())

    def test_list_is_narrowed(self):
        for query, wanted in [
            ({"kind": "theme"}, {"harbour-at-dusk", "paper-mill", "moss-and-stone"}),
            ({"q": "lantern"}, {"link-lantern"}),
            ({"q": "lantern", "kind": "theme"}, set()),
        ]:
            with self.subTest(query):
                page = self.client.get(reverse("catalogue:addons"), query).context["page"]
                self.assertEqual({addon.slug for addon in page}, wanted)

    def test_list_takes_any_query(self):
        response = self.client.get(reverse("catalogue:addons"), {"kind": "nonsense", "page": "-3"})
        self.assertContains(response, "Tab Gardener")

    def test_detail(self):
        response = self.client.get("/en-US/firefox/addon/tab-gardener/")
        self.assertContains(response, "184,203")
        self.assertContains(response, "This is useful")

    def test_unknown_addon(self):
        self.assertContains(self.client.get("/en-US/firefox/addon/none/"), "nothing here", status_code=404)

    @override_settings(HADJANGO_BUILD="b", HADJANGO_TAG="v1.2-3")
    def test_footer_names_the_build(self):
        response = self.client.get("/en-US/firefox/")
        self.assertContains(response, "build b")
        self.assertContains(response, "v1.2-3")
        self.assertContains(response, "no worker")


class VoteTest(TestCase):
    """A visitor finds an add-on useful."""

    fixtures = ["initial"]
    url = "/en-US/firefox/addon/tab-gardener/"

    def test_counts_once_in_a_session(self):
        for _ in range(2):
            response = self.client.post(self.url, follow=True)
            self.assertRedirects(response, self.url)
        self.assertContains(response, "You found this useful")
        self.assertEqual(Vote.objects.count(), 1)

    def test_counts_each_visitor(self):
        for _ in range(2):
            Client().post(self.url)
        self.assertEqual(self.client.get(self.url).context["votes"], 2)

    def test_another_site_cannot_vote(self):
        self.assertEqual(Client(enforce_csrf_checks=True).post(self.url).status_code, 403)

    def test_form_works_behind_a_port(self):
        """A browser sends host and origin with the port; both reach us, so they agree."""
        client = Client(enforce_csrf_checks=True, headers={"host": "live.localhost:8080"})
        client.get(self.url)
        token = client.cookies[settings.CSRF_COOKIE_NAME].value
        headers = {"origin": "http://live.localhost:8080"}
        response = client.post(self.url, {"csrfmiddlewaretoken": token}, headers=headers)
        self.assertEqual(response.status_code, 302)


class FixtureTest(TestCase):
    """The fixture can be loaded into a database that is in use."""

    def test_loaded_again_keeps_votes(self):
        call_command("loaddata", "initial", verbosity=0)
        Addon.objects.get(slug="paper-mill").votes.create()
        call_command("loaddata", "initial", verbosity=0)
        self.assertEqual((Addon.objects.count(), Vote.objects.count()), (9, 1))


class AdminTest(TestCase):
    """The catalogue is kept in the admin."""

    fixtures = ["initial"]

    def test_lists(self):
        self.client.force_login(get_user_model().objects.create_superuser("root"))
        for model in ["addon", "vote"]:
            with self.subTest(model):
                self.assertEqual(self.client.get(reverse(f"admin:catalogue_{model}_changelist")).status_code, 200)
