"""Tags that link the bundles to a page."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html

from bundles import manifest

register = template.Library()


@register.simple_tag
def stylesheet(name):
    """Link a style sheet."""
    return _tag('<link rel="stylesheet" href="{}">', f"{name}.css")


@register.simple_tag
def script(name):
    """Link a script, a module: it runs when the page is there."""
    return _tag('<script type="module" src="{}"></script>', f"{name}.js")


@register.simple_tag
def preload_font(name):
    """Have a font fetched at once, rather than when the style sheet has told of it."""
    return _tag('<link rel="preload" href="{}" as="font" type="font/woff2" crossorigin>', f"{name}.woff2")


def _tag(form, name):
    found = manifest.find(name)
    return format_html(form, static(found)) if found else ""
