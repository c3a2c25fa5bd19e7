"""Tests of hadjango.database."""

import json
import unittest

from sandbox import BuildTestCase, needs_django

SETTINGS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
"""


@needs_django
class DescribeTest(BuildTestCase):
    """The tool learns what it must know before it makes or empties a database."""

    def describe(self, settings=SETTINGS):
        self.write("shop.py", settings)
        code = "import runpy; runpy.run_module('hadjango.database', run_name='__main__')"
        return json.loads(self.output(code, DJANGO_SETTINGS_MODULE="shop")[-1])

    def manage(self, *arguments):
        self.output(f"from django.core.management import call_command as run; import django; django.setup(); run{arguments!r}",
                    DJANGO_SETTINGS_MODULE="shop", DJANGO_SUPERUSER_PASSWORD="correct horse")

    def test_new_database(self):
        told = self.describe()
        self.assertEqual(told, {"vendor": "sqlite", "name": "shop.sqlite3", "migrated": False, "superuser": None,
                                "superuser_fields": ["USERNAME", "EMAIL", "PASSWORD"]})

    def test_migrated_database(self):
        self.describe()
        self.manage("migrate", "--verbosity=0")
        self.assertEqual((self.describe()["migrated"], self.describe()["superuser"]), (True, False))

    def test_superuser(self):
        self.describe()
        self.manage("migrate", "--verbosity=0")
        self.manage("createsuperuser", "--noinput", "--username=root", "--email=root@example.org")
        self.assertIs(self.describe()["superuser"], True)

    def test_project_without_users(self):
        told = self.describe(SETTINGS.replace('"django.contrib.auth", ', ""))
        self.assertIs(told["superuser"], None)
        self.assertEqual(told["superuser_fields"], [])

    def test_database_that_is_away(self):
        self.write("shop.py", SETTINGS.replace("shop.sqlite3", "/nowhere/shop.sqlite3"))
        code = "import runpy; runpy.run_module('hadjango.database', run_name='__main__')"
        for variables, place in [({}, "DATABASES in the settings"), ({"DATABASE_URL": "sqlite:///x"}, "DATABASE_URL")]:
            done = self.python(code, DJANGO_SETTINGS_MODULE="shop", **variables)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, "the database shop.sqlite3 (sqlite) cannot be reached: unable to open database file"
                                          f" · look at {place}\n")


if __name__ == "__main__":
    unittest.main()
