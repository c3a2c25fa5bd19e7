"""Reads settings from the environment."""

import base64
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

SERVERS = {
    "mysql": "django.db.backends.mysql",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
}
CACHES = ("locmem", "memcached", "redis", "rediss")

# Readers and the one writer do not wait for each other (WAL). A writer queues at BEGIN, where SQLite honours the timeout,
# and not at its first write, where a transaction that has read already fails at once.
SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}

# A cache that is away is a cache that is empty, and found to be so quickly.
MEMCACHED_OPTIONS = {"ignore_exc": True, "connect_timeout": 1, "timeout": 1}
REDIS_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1}

# MySQL cuts off what is too long unless it is told to refuse it.
MYSQL_OPTIONS = {"charset": "utf8mb4", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"}


def flag(name):
    """Return whether a variable is set to something that means yes."""
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


def words(name, default):
    """Return the comma-separated words of a variable, or the default when there is none."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()] or default


def database(url):
    """Return Django's settings for a database given as URL.

    SQLite's path follows `sqlite:///`, so an absolute one makes four slashes. For MySQL and PostgreSQL the query of the
    URL holds options of the driver, and user and password are percent-encoded.
    """
    parts = _parts("DATABASE_URL", url, ["sqlite", *SERVERS])
    name = unquote(parts.path).removeprefix("/")
    if not name:
        raise ImproperlyConfigured(f"DATABASE_URL names no database after {parts.scheme}:// and the host")
    kept = {"NAME": name, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": SQLITE_OPTIONS, **_plain(parts), **kept}
    return {
        "ENGINE": SERVERS[parts.scheme],
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": parts.port or "",
        **_driver(parts),
        **kept,
    }


def cache(url):
    """Return Django's settings for a cache given as URL: this process's own memory, memcached or Redis.

    Several memcached servers are separated by commas, a socket's path follows `memcached://`.
    """
    if url.startswith("memcached://"):
        backend = "django.core.cache.backends.memcached.PyMemcacheCache"
        return {"BACKEND": backend, "LOCATION": _memcached(url), "OPTIONS": MEMCACHED_OPTIONS}
    parts = _parts("CACHE_URL", url, CACHES)
    if parts.scheme == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "addons", **_plain(parts)}
    if not parts.hostname:
        raise ImproperlyConfigured(f"CACHE_URL names no host after {parts.scheme}://")
    if not parts.path.strip("/").isdecimal() and parts.path.strip("/"):
        raise ImproperlyConfigured("CACHE_URL names Redis' database by something that is no number, such as /0")
    return {"BACKEND": "addons.caches.Redis", "LOCATION": url, "OPTIONS": REDIS_OPTIONS}


def search(url):
    """Return how to reach a search server given as URL, or None for none: http://host:9200/index."""
    if not url:
        return None
    parts = _parts("SEARCH_URL", url, ["http", "https"])
    index = parts.path.strip("/") or "addons"
    if not parts.hostname or parts.query or parts.fragment:
        raise ImproperlyConfigured("SEARCH_URL takes a host, a port and the name of an index, such as http://search:9200/addons")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,100}", index):
        raise ImproperlyConfigured("SEARCH_URL names an index that is not of small letters, digits, _ and -")
    server = parts._replace(netloc=parts.netloc.rpartition("@")[2], path="").geturl()
    headers = {}
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
    return {"server": server, "index": index, "headers": headers}


def _parts(variable, url, known):
    """Return the parts of a URL that begins with a known scheme and has a port, if it has one, that can be.

    What urlsplit says against a URL quotes it, password and all; so nothing of it is shown, and no cause either.
    """
    scheme = url.partition(":")[0]
    if scheme not in known:
        shown = f"begins with {scheme!r}, which is none of" if "://" in url else "is no URL; it begins with one of"
        raise ImproperlyConfigured(f"{variable} {shown} {', '.join(known)}")
    if not url.isprintable() or " " in url:
        raise ImproperlyConfigured(f"{variable} holds a blank or a control character: it must be percent-encoded")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018, only asked for does it say that it cannot be
    except ValueError:
        raise ImproperlyConfigured(
            f"{variable} names a host or port that cannot be; in a user or password, / : @ [ and ] are percent-encoded"
        ) from None
    return parts


def _plain(parts):
    """Return nothing more to set; refuse a host, which what lies on this machine has not."""
    if parts.netloc or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"{parts.scheme}:// takes no host, no user and no options")
    return {}


def _driver(parts):
    """Return the options of the driver, where a number is a number."""
    given = dict(parse_qsl(parts.query))
    options = {key: int(value) if value.isdecimal() else value for key, value in given.items()}
    if parts.scheme != "mysql":
        return {"OPTIONS": options}
    return {"OPTIONS": {**MYSQL_OPTIONS, **options}, "TEST": {"CHARSET": "utf8mb4"}}


def _memcached(url):
    """Return the servers of a memcached URL."""
    rest = url.removeprefix("memcached://")
    if rest.startswith("/"):
        return f"unix:{unquote(rest)}"
    servers = rest.rstrip("/").split(",")
    for server in servers:
        parts = _parts("CACHE_URL", f"memcached://{server}", CACHES)
        if "@" in server or not (parts.hostname and parts.port) or parts.path or parts.query:
            raise ImproperlyConfigured("CACHE_URL takes memcached:// and host:port, separated by commas, or a socket's path")
    return servers


def secret_key(directory):
    """Return DJANGO_SECRET_KEY, or else the key in the directory's file, which the first one to ask creates.

    All builds share the file, so a session outlives a switch between two of them.
    """
    given = os.environ.get("DJANGO_SECRET_KEY")
    if given:
        return given
    path = Path(directory) / "secret_key"
    if not path.exists():
        _create(path, get_random_secret_key())
    return path.read_text().strip()


def _create(path, text):
    """Create a file that only its owner can read, whole or not at all; the first one to do so wins.

    mkstemp opens a name of its own with O_EXCL and mode 0600. Linking, unlike renaming, fails when the name is taken, and
    unlike O_EXCL on the name itself never shows another process a file that is still empty.
    """
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            pass
