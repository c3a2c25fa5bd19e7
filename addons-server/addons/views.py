"""Pages that belong to no app."""

import logging

from django.conf import settings
from django.db import Error, connection
from django.http import HttpResponse
from django.views.decorators.cache import never_cache

log = logging.getLogger(__name__)


@never_cache
def healthz(request):
    """Answer `ok <build>` when the database answers, for a machine to read."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        log.exception("the database does not answer")
        return HttpResponse("the database does not answer", status=503, content_type="text/plain")
    return HttpResponse(f"ok {settings.HADJANGO_BUILD}", content_type="text/plain")
