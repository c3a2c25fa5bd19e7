"""Tests of the site's own pages and of what it reads from the environment."""

import multiprocessing
import os
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.test import SimpleTestCase, TestCase, override_settings

from addons import environment
from addons.context_processors import hue


class HealthTest(TestCase):
    """A machine asks whether the site is well."""

    @override_settings(HADJANGO_BUILD="ab")
    def test_names_the_build(self):
        response = self.client.get("/healthz")
        self.assertEqual((response.status_code, response.content), (200, b"ok ab"))
        self.assertTrue(response["Content-Type"].startswith("text/plain"))
        self.assertIn("no-store", response["Cache-Control"])

    def test_says_when_the_database_is_away(self):
        with patch.object(connection, "cursor", side_effect=OperationalError), self.assertLogs("addons.views"):
            response = self.client.get("/healthz")
        self.assertEqual(response.status_code, 503)


class DatabaseTest(SimpleTestCase):
    """A database's URL becomes Django's settings."""

    def test_sqlite(self):
        for url, name in [
            ("sqlite:////srv/data/addons.sqlite3", "/srv/data/addons.sqlite3"),
            ("sqlite:///addons.sqlite3", "addons.sqlite3"),
            ("sqlite:////srv/with%20space", "/srv/with space"),
            ("sqlite::memory:", ":memory:"),
        ]:
            with self.subTest(url):
                settings = environment.database(url)
                self.assertEqual((settings["ENGINE"], settings["NAME"]), ("django.db.backends.sqlite3", name))

    def test_server(self):
        settings = environment.database("mysql://user:p%40ss@db.example:3307/addons?charset=utf8mb4")
        wanted = {
            "ENGINE": "django.db.backends.mysql",
            "NAME": "addons",
            "USER": "user",
            "PASSWORD": "p@ss",
            "HOST": "db.example",
            "PORT": 3307,
            "OPTIONS": {"charset": "utf8mb4"},
        }
        self.assertEqual({key: settings[key] for key in wanted}, wanted)

    def test_defaults_of_a_server(self):
        settings = environment.database("postgres:///addons")
        self.assertEqual((settings["HOST"], settings["PORT"], settings["USER"]), ("", "", ""))

    def test_unknown_server_is_named_but_not_the_password(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "'oracle'") as caught:
            environment.database("oracle://user:secret@db/addons")
        self.assertNotIn("secret", str(caught.exception))


def ask_for_key(directory, barrier, answers):
    """Ask for the secret key at the same time as other processes do."""
    barrier.wait()
    answers.put(environment.secret_key(directory))


@patch.dict(os.environ, {"DJANGO_SECRET_KEY": ""})
class SecretKeyTest(SimpleTestCase):
    """All builds share one secret key."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def test_is_made_once_and_private(self):
        key = environment.secret_key(self.directory)
        self.assertGreaterEqual(len(key), 50)
        self.assertEqual(environment.secret_key(self.directory), key)
        self.assertEqual(os.listdir(self.directory), ["secret_key"])
        self.assertEqual(stat.S_IMODE((self.directory / "secret_key").stat().st_mode), 0o600)

    def test_is_the_same_for_processes_that_start_together(self):
        fork = multiprocessing.get_context("fork")
        barrier, answers = fork.Barrier(8), fork.Queue()
        processes = [fork.Process(target=ask_for_key, args=(self.directory, barrier, answers)) for _ in range(8)]
        for process in processes:
            process.start()
        keys = {answers.get(timeout=30) for _ in processes}
        for process in processes:
            process.join()
        self.assertEqual(keys, {environment.secret_key(self.directory)})

    def test_environment_comes_first(self):
        with patch.dict(os.environ, {"DJANGO_SECRET_KEY": "given"}):
            self.assertEqual(environment.secret_key(self.directory), "given")
        self.assertEqual(os.listdir(self.directory), [])


class EnvironmentTest(SimpleTestCase):
    """Variables become values."""

    def test_flag(self):
        for text, wanted in [("1", True), ("True", True), ("0", False), ("", False), ("off", False)]:
            with self.subTest(text), patch.dict(os.environ, {"ADDONS_TEST": text}):
                self.assertIs(environment.flag("ADDONS_TEST"), wanted)

    def test_words(self):
        for text, wanted in [("", ["default"]), (" a.example , b.example,", ["a.example", "b.example"])]:
            with self.subTest(text), patch.dict(os.environ, {"ADDONS_TEST": text}):
                self.assertEqual(environment.words("ADDONS_TEST", ["default"]), wanted)


class ColourTest(SimpleTestCase):
    """Builds are told apart at a glance."""

    def test_neighbours_lie_far_apart(self):
        distance = abs(hue("a") - hue("b")) % 360
        self.assertGreater(min(distance, 360 - distance), 90)
