"""Tests of the site's health and of how builds are told apart."""

from unittest.mock import patch

from django.db import OperationalError, connection
from django.test import SimpleTestCase, TestCase, override_settings

from addons.context_processors import hue


class HealthTest(TestCase):
    """A machine asks whether the site is well."""

    @override_settings(HADJANGO_BUILD="ab")
    def test_names_the_build(self):
        response = self.client.get("/healthz")
        self.assertEqual((response.status_code, response.content), (200, b"ok ab"))
        self.assertTrue(response["Content-Type"].startswith("text/plain"))
        self.assertIn("no-store", response["Cache-Control"])

    def test_needs_no_language(self):
        self.assertEqual(self.client.get("/healthz", headers={"accept-language": "de"}).status_code, 200)

    def test_says_when_the_database_is_away(self):
        with patch.object(connection, "cursor", side_effect=OperationalError), self.assertLogs("addons.views"):
            response = self.client.get("/healthz")
        self.assertEqual(response.status_code, 503)


class ColourTest(SimpleTestCase):
    """Builds are told apart at a glance."""

    def test_neighbours_lie_far_apart(self):
        distance = abs(hue("a") - hue("b")) % 360
        self.assertGreater(min(distance, 360 - distance), 90)
