"""What templates know of the prefix, and how to change it."""

from django.utils.encoding import escape_uri_path

from locales.prefixes import DEFAULT, LOCALES, App, Prefix, split


def prefix(request):
    """Tell locale and app of the page, and where it is found in the others."""
    current = getattr(request, "prefix", DEFAULT)
    locale, app = current.locale, current.app
    return {
        "current_app": _app(request, Prefix(locale, app), app),
        "apps": [_app(request, Prefix(locale, other), app) for other in App.values],
        "current_locale": _locale(request, Prefix(locale, app), locale),
        "locales": [_locale(request, Prefix(other, app), locale) for other in LOCALES],
    }


def _app(request, prefix, current):
    return {
        "slug": prefix.app,
        "name": App(prefix.app).label,
        "url": _same_page(request, prefix),
        "current": prefix.app == current,
    }


def _locale(request, prefix, current):
    return {
        "code": prefix.locale,
        "name": LOCALES[prefix.locale][1],
        "url": _same_page(request, prefix),
        "current": prefix.locale == current,
    }


def _same_page(request, prefix):
    """Return the address of the page that was asked for under another prefix, with its query."""
    base = request.path.removesuffix(request.path_info)
    query = request.META.get("QUERY_STRING", "")
    return f"{base}/{prefix.path}{escape_uri_path(split(request.path_info)[2])}" + (f"?{query}" if query else "")
