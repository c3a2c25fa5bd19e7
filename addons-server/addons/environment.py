"""Reads settings from the environment."""

import os
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

# Readers and the one writer do not wait for each other (WAL). A writer queues at BEGIN, where SQLite honours the timeout,
# and not at its first write, where a transaction that has read already fails at once.
SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}


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
    parts = urlsplit(url)
    kept = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    if parts.scheme == "sqlite":
        name = unquote(parts.path).removeprefix("/")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": SQLITE_OPTIONS, **kept}
    if parts.scheme not in SERVERS:
        known = ", ".join(["sqlite", *SERVERS])
        raise ImproperlyConfigured(f"DATABASE_URL begins with {parts.scheme!r}, which is none of {known}")
    return {
        "ENGINE": SERVERS[parts.scheme],
        "NAME": unquote(parts.path).removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": dict(parse_qsl(parts.query)),
        **kept,
    }


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
