"""Tests of what the site reads from the environment."""

import multiprocessing
import os
import stat
import tempfile
from pathlib import Path
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from addons import environment

MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"


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
        }
        self.assertEqual({key: settings[key] for key in wanted}, wanted)

    def test_defaults_of_a_server(self):
        settings = environment.database("postgres:///addons")
        self.assertEqual((settings["HOST"], settings["PORT"], settings["USER"]), ("", "", ""))

    def test_options_of_the_driver(self):
        settings = environment.database("mysql://addons@/addons?unix_socket=/run/mysqld.sock&connect_timeout=5")
        self.assertEqual(settings["OPTIONS"]["unix_socket"], "/run/mysqld.sock")
        self.assertEqual(settings["OPTIONS"]["connect_timeout"], 5)
        self.assertEqual(settings["OPTIONS"]["charset"], "utf8mb4")

    def test_hostile_urls_are_refused_without_the_password(self):
        for url, said in [
            ("oracle://user:secret@db/addons", "'oracle'"),
            ("secret", "is no URL"),
            ("", "is no URL"),
            ("mysql://user:secret@db", "names no database"),
            ("mysql://user:secret@db/", "names no database"),
            ("mysql://user:sec/ret@db/addons", "host or port"),
            ("mysql://user:secret@db:99999/addons", "host or port"),
            ("mysql://user:secret@db:port/addons", "host or port"),
            ("mysql://user:secret@[db/addons", "host or port"),
            ("mysql://user:sec ret@db/addons", "percent-encoded"),
            ("mysql://user:secret@db/addons\n", "control character"),
            ("sqlite://secret/addons.sqlite3", "takes no host"),
            ("sqlite:///addons.sqlite3?secret=1", "no options"),
        ]:
            with self.subTest(url):
                refused(self, environment.database, url, said)


class CacheTest(SimpleTestCase):
    """A cache's URL becomes Django's settings."""

    def test_known_caches(self):
        for url, backend, location in [
            ("locmem://", "django.core.cache.backends.locmem.LocMemCache", "addons"),
            ("memcached://10.0.0.1:11211", MEMCACHED, ["10.0.0.1:11211"]),
            ("memcached://a:1,[::1]:2", MEMCACHED, ["a:1", "[::1]:2"]),
            ("memcached:///run/memcached.sock", MEMCACHED, "unix:/run/memcached.sock"),
            ("redis://:p%40ss@cache:6379/1", "addons.caches.Redis", "redis://:p%40ss@cache:6379/1"),
            ("rediss://cache", "addons.caches.Redis", "rediss://cache"),
        ]:
            with self.subTest(url):
                settings = environment.cache(url)
                self.assertEqual((settings["BACKEND"], settings["LOCATION"]), (backend, location))

    def test_hostile_urls_are_refused_without_the_password(self):
        for url, said in [
            ("", "is no URL"),
            ("secret", "is no URL"),
            ("file://secret", "'file'"),
            ("locmem://secret", "takes no host"),
            ("memcached://", "host:port"),
            ("memcached://host", "host:port"),
            ("memcached://user:secret@host:11211", "host:port"),
            ("memcached://host:1,secret", "host:port"),
            ("memcached://host:port", "host or port"),
            ("memcached://host:1/secret", "host:port"),
            ("redis://", "names no host"),
            ("redis://:secret@", "names no host"),
            ("redis://:sec/ret@cache", "host or port"),
            ("redis://:secret@cache/secret", "Redis' database"),
            ("redis://:secret@cache:0x1/0", "host or port"),
        ]:
            with self.subTest(url):
                refused(self, environment.cache, url, said)


class SearchTest(SimpleTestCase):
    """A search server's URL becomes what to ask, and how."""

    def test_servers(self):
        secret = {"Authorization": "Basic YWRhOnAvdw=="}
        for url, wanted in [
            ("", None),
            ("http://search:9200/shop", {"server": "http://search:9200", "index": "shop", "headers": {}}),
            ("https://[::1]:9200", {"server": "https://[::1]:9200", "index": "addons", "headers": {}}),
            ("http://ada:p%2Fw@search/", {"server": "http://search", "index": "addons", "headers": secret}),
        ]:
            with self.subTest(url):
                self.assertEqual(environment.search(url), wanted)

    def test_hostile_urls_are_refused_without_the_password(self):
        for url, said in [
            ("secret", "is no URL"),
            ("opensearch://user:secret@host", "'opensearch'"),
            ("http://user:secret@", "takes a host"),
            ("http://user:secret@host/addons?secret=1", "takes a host"),
            ("http://user:secret@host/a/b", "names an index"),
            ("http://user:secret@host/_all", "names an index"),
            ("http://user:secret@host/Secret", "names an index"),
            ("http://user:sec/ret@host", "host or port"),
        ]:
            with self.subTest(url):
                refused(self, environment.search, url, said)


def refused(test, read, url, said):
    """Require that a URL is refused for a reason that neither shows the password nor leads to what does."""
    with test.assertRaisesMessage(ImproperlyConfigured, said) as caught:
        read(url)
    for secret in ("secret", "sec", "ret@"):
        test.assertNotIn(secret, str(caught.exception))
    test.assertTrue(caught.exception.__context__ is None or caught.exception.__suppress_context__)


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
