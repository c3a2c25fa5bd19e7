"""Sees to it that every page is asked for with a locale and an app in its address."""

from django.conf import settings
from django.http import HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.module_loading import import_string
from django.utils.translation import override

from locales.prefixes import BESIDE, DEFAULT, Prefix, accepted, split


def prefix(get_response):
    """Answer in the language and for the app that the address names; lead there who came without them."""

    def middleware(request):
        if request.path_info.lstrip("/").partition("/")[0] in BESIDE:
            return _answer(get_response, request, DEFAULT)
        locale, app, rest = split(request.path_info)
        wanted = Prefix(locale or accepted(request), app or DEFAULT.app)
        if not request.path_info.startswith(f"/{wanted.path}"):
            return _lead(request, wanted, rest)
        return _answer(get_response, request, wanted)

    return middleware


def _answer(get_response, request, prefix):
    """Answer with the addresses and in the language of the prefix."""
    request.prefix = prefix
    request.urlconf = import_string(f"{settings.ROOT_URLCONF}.under")(prefix)
    with override(prefix.language):
        response = get_response(request)
    response.headers.setdefault("Content-Language", prefix.locale)
    return response


def _lead(request, prefix, rest):
    """Lead to the same page under the prefix. A form that was sent is sent there, not asked for."""
    query = request.META.get("QUERY_STRING", "")
    address = f"{request.path.removesuffix(request.path_info)}/{prefix.path}{escape_uri_path(rest.lstrip('/'))}"
    sent = request.method not in ("GET", "HEAD")
    response = HttpResponseRedirect(address + (f"?{query}" if query else ""), preserve_request=sent)
    patch_vary_headers(response, ["Accept-Language"])
    return response
