"""The addresses of the whole site: the pages under /<locale>/<app>/, and what stands beside them.

There is one set of addresses for every prefix; a request is answered with the set of its own (locales.middleware), so that
reverse and {% url %} need not be told the prefix. This module's own urlpatterns are those of the default prefix: the admin,
the API and commands link to them.
"""

from functools import cache

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from addons.views import healthz
from locales.prefixes import DEFAULT

beside = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("api.urls")),
    path("healthz", healthz),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
pages = [
    path("", include("catalogue.urls")),
    path("", include("ratings.urls")),
    path("", include("lists.urls")),
    path("", include("search.urls")),
    path("", include("users.urls")),
]


@cache
def under(prefix):
    """Return the addresses for requests with the prefix."""
    return (path(prefix.path, include(pages)), *beside)


urlpatterns = list(under(DEFAULT))
