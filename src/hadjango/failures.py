"""Writes the traceback of a view that failed to standard error, which is the build's log.

Without DEBUG Django's own logging only mails it to the ADMINS, mostly nobody; then a deploy could not say why a page is 500.
A project that has its requests' errors logged to standard error itself is left to do so.
"""

import logging
import sys
import traceback

from django.core.signals import got_request_exception


def log_failures():
    """Begin to write."""
    got_request_exception.connect(log_failure, dispatch_uid="hadjango.failures")


def log_failure(sender, request=None, **kwargs):
    """Write the exception that is being handled."""
    if not is_logged():
        print(f"{request.method} {request.path}" if request else "", traceback.format_exc(), sep="\n", end="", file=sys.stderr, flush=True)


def is_logged():
    """Return whether a handler of django.request would write an error to a standard stream."""
    logger = logging.getLogger("django.request")
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, "", (), None)
    return logger.isEnabledFor(logging.ERROR) and any(shows(handler, record) for handler in handlers(logger))


def handlers(logger):
    """Yield the handlers that the logger's records reach."""
    while logger:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def shows(handler, record):
    """Return whether the handler writes the record to a standard stream."""
    stream = getattr(handler, "stream", None)
    return stream in (sys.stderr, sys.stdout) and handler.level <= record.levelno and bool(handler.filter(record))
