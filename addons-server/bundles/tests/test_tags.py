"""Pages link to the bundles by what the manifest calls them."""

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.templatetags.static import static

from bundles import manifest

FILES = {"site.css": "site-3360f09a1b2c.css", "site.js": "site-3360f09a1b2c.js", "sans.woff2": "sans-3360f09a1b2c.woff2"}


def render(tag):
    """Return what a tag becomes."""
    return Template("{% load bundles %}" + tag).render(Context())


@pytest.fixture
def bundled(project):
    """Return the directory of a project with bundles."""
    out = manifest.directory()
    out.mkdir(parents=True)
    manifest.write(out, 40 * "3", FILES)
    return out


@pytest.mark.parametrize(
    ("tag", "link"),
    [
        ('{% stylesheet "site" %}', '<link rel="stylesheet" href="{bundles}site-3360f09a1b2c.css">'),
        ('{% script "site" %}', '<script type="module" src="{bundles}site-3360f09a1b2c.js"></script>'),
        (
            '{% preload_font "sans" %}',
            '<link rel="preload" href="{bundles}sans-3360f09a1b2c.woff2" as="font" type="font/woff2" crossorigin>',
        ),
    ],
)
def test_link_what_the_manifest_names(bundled, tag, link):
    # in a build STATIC_URL is the build's own
    assert render(tag) == link.format(bundles=static("bundles/"))


def test_read_the_manifest_each_time_in_development(bundled):
    render('{% stylesheet "site" %}')
    manifest.write(bundled, 40 * "4", {"site.css": "site-444444444444.css"})
    assert "site-444444444444.css" in render('{% stylesheet "site" %}')


def test_read_the_manifest_once_in_production(bundled, production):
    first = render('{% stylesheet "site" %}')
    (bundled / manifest.NAME).unlink()
    assert render('{% stylesheet "site" %}') == first


def test_name_the_command_in_production_when_nothing_is_bundled(project, production):
    with pytest.raises(ImproperlyConfigured, match="site.css is missing from .*npm ci and manage.py compress_assets"):
        render('{% stylesheet "site" %}')


def test_name_the_bundle_in_production_that_does_not_exist(bundled, production):
    with pytest.raises(ImproperlyConfigured, match="stie.js is missing"):
        render('{% script "stie" %}')


@pytest.mark.parametrize("text", [None, "{", "[]", '{"files": {}}'])
def test_leave_a_line_in_the_log_in_development(project, caplog, text):
    if text is not None:
        manifest.directory().mkdir(parents=True)
        (manifest.directory() / manifest.NAME).write_text(text)
    with caplog.at_level(logging.WARNING):
        assert render('{% stylesheet "site" %}') == ""
    assert "compress_assets" in caplog.text
