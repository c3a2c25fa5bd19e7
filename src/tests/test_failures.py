"""Tests of hadjango.failures."""

from sandbox import BuildTestCase, needs_django


@needs_django
class FailuresTest(BuildTestCase):
    """The traceback of a view that failed is in the log, once."""

    code = """
from hadjango.uwsgi.wsgi import application
from django.test import RequestFactory
environ = RequestFactory().get("/broken?secret=1").environ
list(application(environ, lambda status, headers: print(status)))
"""

    def setUp(self):
        super().setUp()
        self.write("shop/urls.py", "from django.urls import path\n\n\ndef broken(request):\n    1 / 0\n\n\nurlpatterns = [path('broken', broken)]\n")

    def logged(self, settings):
        """Ask for the view that fails and return what was written to standard error."""
        self.write("shop/settings.py", f"SECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'shop.urls'\n{settings}\n")
        self.environment(HADJANGO_SETTINGS="shop.settings")
        finished = self.python(self.code)
        self.assertEqual(finished.stdout.strip(), "500 Internal Server Error", finished.stderr)
        return finished.stderr

    def test_traceback_is_written(self):
        logged = self.logged("")
        self.assertIn("GET /broken\nTraceback", logged)
        self.assertIn("ZeroDivisionError: division by zero", logged)
        self.assertNotIn("secret", logged)

    def test_a_project_that_writes_it_itself_is_left_to(self):
        console = "{'version': 1, 'handlers': {'c': {'class': 'logging.StreamHandler'}}, 'root': {'handlers': ['c']}}"
        self.assertEqual(self.logged(f"LOGGING = {console}").count("ZeroDivisionError: division by zero"), 1)
