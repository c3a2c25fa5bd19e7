"""The manifest of the bundles: what each is called in this build."""

import json
import logging
import os
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NAME = "manifest.json"

log = logging.getLogger(__name__)


def directory():
    """Return where the bundles lie: the static files of this app, which Django finds by itself."""
    return Path(settings.BASE_DIR) / "bundles" / "static" / "bundles"


def write(into, stamp, files):
    """Put the manifest in place in one step, so that nobody reads half of it."""
    fresh = into / f".{NAME}.{os.getpid()}"
    fresh.write_text(json.dumps({"stamp": stamp, "files": files}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(fresh, into / NAME)


def find(name):
    """Return the name that a bundle has among the static files.

    In development and in tests, where pages must not depend on npm, it is None when there is no such bundle.
    """
    try:
        return f"bundles/{_files()[name]}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = (
            f"the bundle {name} is missing from {directory() / NAME} ({error!r}): run npm ci and manage.py compress_assets"
        )
        if not _developing():
            raise ImproperlyConfigured(missing) from error
    log.warning(missing)
    return None


def _developing():
    return settings.DEBUG or settings.TESTING


def _files():
    """Return the names by bundle; in production they are read once, as a build does not change."""
    return _read() if _developing() else _kept()


@cache
def _kept():
    return _read()


def _read():
    return json.loads((directory() / NAME).read_text(encoding="utf-8"))["files"]
