"""The file uWSGI loads for a build (`wsgi-file`); `application` is the build's project, ready for its first request.

The build's env.json says what to load: HADJANGO_WSGI names any WSGI application as `module:callable`; without it the
project is Django's. Python must find the build's root on its path. Outside uWSGI the module gives the same application.

What goes wrong while the project is imported goes through to uWSGI, which logs the traceback and, with need-app, ends.
"""

import importlib
import operator
import os

from hadjango import build
from hadjango.uwsgi import process


def load():
    """Return the application, and what a worker has to do after the fork for this kind of application."""
    target = os.environ.get("HADJANGO_WSGI")
    if target:
        return named_application(target), []
    return django_application()


def named_application(target):
    """Import the application that `module:callable` names; the callable may be an attribute of an attribute."""
    module, _, path = target.partition(":")
    if not path:
        raise ValueError(f"HADJANGO_WSGI is {target!r}: it must name a WSGI application as module:callable")
    return operator.attrgetter(path)(importlib.import_module(module))


def django_application():
    """Load Django's application and warm it; a worker closes what the master may have connected to since then."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hadjango.settings")
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    # Not sooner: setting up logging, as Django has just done, disables the loggers that exist by then.
    from hadjango.failures import log_failures
    from hadjango.warm import close_connections, warm

    log_failures()
    warm()
    return application, [close_connections]


def serve(application, after_fork):
    """Hand the application to uWSGI, if that is what runs us."""
    uwsgi = process.server()
    return process.adopt(uwsgi, application, build.current(), *after_fork) if uwsgi else application


build.load_environment()
if process.server():
    process.tell_where_it_hangs()
application = serve(*load())
