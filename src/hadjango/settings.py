"""The project's own settings, with the build's static and media files in place of the project's.

DJANGO_SETTINGS_MODULE names this module in a build, and HADJANGO_SETTINGS the project's, such as `addons.settings`.
Every upper-case name of that module is taken over, then these are set:

STATIC_ROOT, STATIC_URL
    assets/static of the build, and /static/<build>-<stamp>/. When the project's URL names another host, a CDN that fetches from
    us, that host is kept: its cache then holds the files of two builds side by side, as we do.
MEDIA_ROOT, MEDIA_URL
    assets/media of the build, which leads to a directory shared by all builds, and /media/. When the project's URL names
    another host the uploads are not ours to serve, and the URL stays. While the project's tests run, HADJANGO_MEDIA names
    another directory: what they upload is not for visitors.
DATABASES
    an SQLite file that would lie in the build lies in the data directory (HADJANGO_DATA), which all builds share: in a
    build, which nobody may write to once it is made, it could not be opened, and the next build would have another one.
HADJANGO_BUILD, HADJANGO_TAG
    the build's name and tag.

A root is a string, or a Path if the project's is one, so that project code may go on using `+` or `/` with it.

Nothing else is touched. What the project's module computed from these settings before, say the `location` of a storage in
STORAGES, keeps the project's value; such a project reads HADJANGO_BUILD from the environment there, or leaves the option
out, since Django's storages use the settings above by default. Class-based settings (django-configurations) are not a
module's names and cannot be wrapped.
"""

import importlib
import os
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from hadjango import build


def _project():
    """Import the settings module that HADJANGO_SETTINGS names."""
    name = os.environ.get("HADJANGO_SETTINGS")
    if not name:
        raise ImproperlyConfigured(
            "HADJANGO_SETTINGS is not set, so hadjango.settings has no settings to wrap. "
            "In a build the tool sets it; elsewhere set it to the project's own settings module, such as "
            "addons.settings, or set DJANGO_SETTINGS_MODULE to that module and leave hadjango.settings out."
        )
    if name == __name__:
        raise ImproperlyConfigured(
            f"HADJANGO_SETTINGS is {name}, which would wrap itself: it must name the project's own settings module."
        )
    return importlib.import_module(name)


def _current():
    """Return the build these settings are for."""
    try:
        return build.current()
    except FileNotFoundError as error:
        raise ImproperlyConfigured(
            f"hadjango.settings works in a build only, and {error.filename} is missing."
        ) from error


def _root(theirs, ours):
    """Return our directory as the kind of value that the project uses for its own."""
    return ours if isinstance(theirs, PurePath) else str(ours)


def _names_a_host(url):
    return bool(urlsplit(url or "").netloc)


def _taken_over(project):
    """Return the settings of the project's module, by the rule Django itself goes by."""
    return {name: getattr(project, name) for name in dir(project) if name.isupper()}


def _shared(database):
    """Return a database's settings, with an SQLite file that would lie in the build moved to the data directory."""
    name, data = os.fspath(database.get("NAME") or ""), os.environ.get("HADJANGO_DATA")
    in_a_file = database.get("ENGINE", "").endswith(("sqlite3", "spatialite")) and not name.startswith((":memory:", "file:"))
    path = build.ROOT / name
    if not (data and name and in_a_file and build.ROOT in path.parents):
        return database
    return {**database, "NAME": Path(data) / path.name}


def _of_build(theirs, current):
    """Return the settings that follow from the build, given the project's."""
    static_url, media_url = theirs.get("STATIC_URL"), theirs.get("MEDIA_URL")
    return {
        "STATIC_ROOT": _root(theirs.get("STATIC_ROOT"), build.ROOT / "assets" / "static"),
        "STATIC_URL": urlsplit(static_url or "")._replace(path=current.static_path).geturl(),
        "MEDIA_ROOT": _root(theirs.get("MEDIA_ROOT"), Path(os.environ.get("HADJANGO_MEDIA") or build.ROOT / "assets" / "media")),
        "MEDIA_URL": media_url if _names_a_host(media_url) else "/media/",
        "DATABASES": {alias: _shared(database) for alias, database in theirs.get("DATABASES", {}).items()},
        "HADJANGO_BUILD": current.name,
        "HADJANGO_TAG": current.tag,
    }


globals().update(_taken_over(_project()))
globals().update(_of_build(globals(), _current()))
