"""Tests of hadjango.settings."""

import unittest

from sandbox import BuildTestCase, needs_django


@needs_django
class SettingsTest(BuildTestCase):
    """A project's settings are wrapped."""

    def settings(self, *names, project=""):
        """Return the named settings of a project, as they look in the build."""
        self.write("shop/settings.py", project)
        code = f"from django.conf import settings\nfor name in {names}: print(repr(getattr(settings, name, None)))"
        return self.output(code, DJANGO_SETTINGS_MODULE="hadjango.settings", HADJANGO_SETTINGS="shop.settings")

    def test_takes_over_settings_only(self):
        project = "ODD = {'kept': 1}\nlower = 2\nMixed = 3\n_HIDDEN = 4"
        names = ["ODD", "lower", "Mixed", "_HIDDEN"]
        self.assertEqual(self.settings(*names, project=project), ["{'kept': 1}", "None", "None", "4"])

    def test_files_are_of_the_build(self):
        names = ["STATIC_URL", "STATIC_ROOT", "MEDIA_URL", "MEDIA_ROOT"]
        wanted = ["/static/a-0123456/", f"{self.root}/assets/static", "/media/", f"{self.root}/assets/media"]
        for project in [
            "",
            "STATIC_URL = 'static/'; STATIC_ROOT = '/srv/static'; MEDIA_URL = '/uploads/'; MEDIA_ROOT = '/srv/media'",
            "STATIC_URL = STATIC_ROOT = None",
        ]:
            with self.subTest(project):
                self.assertEqual(self.settings(*names, project=project), [repr(value) for value in wanted])

    def test_root_stays_a_path(self):
        project = "from pathlib import Path; MEDIA_ROOT = Path('/srv/media')"
        self.assertEqual(self.settings("MEDIA_ROOT", project=project), [f"PosixPath('{self.root}/assets/media')"])

    def test_uploads_of_tests_lie_elsewhere(self):
        self.write("shop/settings.py", "from pathlib import Path; MEDIA_ROOT = Path('/srv/media')")
        code = "from hadjango.settings import MEDIA_ROOT; print(repr(MEDIA_ROOT))"
        self.assertEqual(self.output(code, HADJANGO_SETTINGS="shop.settings", HADJANGO_MEDIA="/scratch/media"), ["PosixPath('/scratch/media')"])

    def test_other_host_is_kept(self):
        project = "STATIC_URL = 'https://cdn.example/s/'; MEDIA_URL = '//files.example/m/'"
        urls = self.settings("STATIC_URL", "MEDIA_URL", project=project)
        self.assertEqual(urls, ["'https://cdn.example/static/a-0123456/'", "'//files.example/m/'"])

    def test_sqlite_file_of_the_project_is_shared_by_all_builds(self):
        project = """
            from pathlib import Path
            BASE_DIR = Path(__file__).resolve().parent.parent
            SQLITE = "django.db.backends.sqlite3"
            DATABASES = {
                "default": {"ENGINE": SQLITE, "NAME": BASE_DIR / "db.sqlite3", "CONN_MAX_AGE": 7},
                "relative": {"ENGINE": SQLITE, "NAME": "sub/other.sqlite3"},
                "elsewhere": {"ENGINE": SQLITE, "NAME": "/srv/shop.sqlite3"},
                "memory": {"ENGINE": SQLITE, "NAME": ":memory:"},
                "server": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"},
            }
        """
        self.write("shop/settings.py", project)
        code = "from hadjango.settings import DATABASES as d\nfor alias in d: print(d[alias]['NAME'])\nprint(d['default']['CONN_MAX_AGE'])"
        names = self.output(code, HADJANGO_SETTINGS="shop.settings", HADJANGO_DATA="/data")
        self.assertEqual(names, ["/data/db.sqlite3", "/data/other.sqlite3", "/srv/shop.sqlite3", ":memory:", "shop", "7"])

    def test_names_the_build(self):
        self.assertEqual(self.settings("HADJANGO_BUILD", "HADJANGO_TAG"), ["'a'", "'v1.2-3'"])


@needs_django
class MistakesTest(BuildTestCase):
    """What is missing is said."""

    code = "import hadjango.settings"

    def test_no_project(self):
        self.assertIn("ImproperlyConfigured: HADJANGO_SETTINGS is not set", self.failure(self.code))

    def test_itself(self):
        self.assertIn("would wrap itself", self.failure(self.code, HADJANGO_SETTINGS="hadjango.settings"))

    def test_outside_a_build(self):
        self.write("shop/settings.py", "")
        (self.root / "build.json").unlink()
        self.assertIn(f"{self.root}/build.json is missing", self.failure(self.code, HADJANGO_SETTINGS="shop.settings"))

    def test_error_in_the_project_goes_through(self):
        self.write("shop/settings.py", "1 / 0")
        self.assertEqual(
            self.failure(self.code, HADJANGO_SETTINGS="shop.settings"), "ZeroDivisionError: division by zero"
        )


if __name__ == "__main__":
    unittest.main()
