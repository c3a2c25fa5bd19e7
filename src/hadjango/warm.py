"""Does before the first request what Django leaves to the first request.

Under uWSGI this happens once, in the master, before the workers are forked: each worker starts warm and shares the memory.
Whatever would break every request breaks the start here, with its traceback; a template that no view may ever use does not.
"""

import logging
import os
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.cache import close_caches
from django.db import connections
from django.forms.renderers import get_default_renderer
from django.template import engines
from django.urls import get_resolver
from django.utils import translation
from django.utils.formats import get_format

log = logging.getLogger(__name__)


def warm():
    """Load URLconf, translations, static file names and templates; leave no connection open."""
    urls_and_translations()
    static_files()
    templates()
    close_connections()


def urls_and_translations():
    """Read each language's translations and formats, and fill the resolver's tables, of which it has one per language.

    That imports every URLconf and every view, the admin's with its registered models, and compiles every route.
    """
    for code in languages():
        with translation.override(code):
            get_format("DATE_FORMAT")
            get_resolver().reverse_dict  # a property that fills the tables


def languages():
    """Return the codes of the languages the project speaks.

    A project that lists none may speak any of Django's own hundred, yet hardly does: then only the default is returned.
    """
    listed = settings.LANGUAGES if settings.USE_I18N and settings.is_overridden("LANGUAGES") else []
    return dict.fromkeys([settings.LANGUAGE_CODE, *(code for code, _ in listed)])


def static_files():
    """Set up the storage of static files, which may read a manifest of thousands of names."""
    if apps.is_installed("django.contrib.staticfiles"):
        from django.contrib.staticfiles.storage import staticfiles_storage

        bool(staticfiles_storage)  # any use of a lazy object sets it up


def templates():
    """Build every engine with its tag libraries and context processors, and compile every template that can be found."""
    for backend in backends():
        getattr(getattr(backend, "engine", None), "template_context_processors", None)
        for name in template_names(backend):
            compile_template(backend, name)


def backends():
    """Return the template engines of the settings and the one that draws forms, if it is another."""
    return [*engines.all(), *filter(None, [getattr(get_default_renderer(), "engine", None)])]


def template_names(backend):
    """Return the name of every template file below the engine's directories."""
    files = ((top, file) for top in directories(backend) for file in Path(top).rglob("*") if file.is_file())
    return sorted({file.relative_to(top).as_posix() for top, file in files})


def directories(backend):
    """Return where the engine looks for templates: Django's asks its loaders, any other one has a list."""
    loaders = getattr(getattr(backend, "engine", None), "template_loaders", [])
    asked = [directory for loader in loaders if hasattr(loader, "get_dirs") for directory in loader.get_dirs()]
    return {os.fspath(directory) for directory in asked or backend.template_dirs}


def compile_template(backend, name):
    """Compile one template, which leaves it in the engine's cache.

    A template may fail in any way, its tags being anybody's code: a package may bring some for another one that is not
    installed. One that is used fails where it is used, as it would have without us.
    """
    try:
        backend.get_template(name)
    except Exception as error:
        log.warning("template %s does not compile: %s: %s", name, type(error).__name__, error)


def close_connections():
    """Close what this process has opened to databases and caches: a connection shared over fork mixes up its users."""
    connections.close_all()
    close_caches()
