"""What all pages have around them."""

import re

import pytest
from django.template.loader import get_template

HOME = "/en-US/firefox/"


def page(client, address=HOME, status=200):
    """Return a page's HTML."""
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


@pytest.fixture
def build(settings):
    """Let the pages be those of a build."""
    settings.HADJANGO_BUILD, settings.HADJANGO_TAG = "ab", "v1.2-3"


@pytest.mark.django_db
def test_footer_tells_build_tag_and_worker(client, build):
    (footer,) = re.findall(r'(?s)<footer class="site-footer".*</footer>', page(client))
    assert 'data-build="ab" data-tag="v1.2-3" data-worker=""' in footer
    assert ">build ab<" in footer
    assert ">v1.2-3<" in footer
    assert ">no worker<" in footer


@pytest.mark.django_db
def test_footer_tells_the_worker_that_answers(client, build, monkeypatch):
    monkeypatch.setattr("addons.context_processors.worker_id", lambda: 2)
    html = page(client)
    assert 'data-worker="2"' in html
    assert ">worker 2<" in html


@pytest.mark.django_db
def test_stripe_and_footer_have_the_colour_of_the_build(client, settings):
    colours = {}
    for settings.HADJANGO_BUILD in ("a", "b"):
        colours[settings.HADJANGO_BUILD] = re.findall(r'<svg class="s.*fill="oklch\([\d.]+ [\d.]+ (\d+)\)"', page(client))
    assert {name: len(set(found)) for name, found in colours.items()} == {"a": 1, "b": 1}
    assert len(colours["a"]) == 2
    assert colours["a"] != colours["b"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", [HOME, f"{HOME}addon/paper-mill/", f"{HOME}users/login/", "/de/thunderbird/addon/nothing/"]
)
def test_no_script_or_style_sheet_stands_in_a_page(client, address):
    html = page(client, address, 404 if "nothing" in address else 200)
    assert not re.search(r"<style|\sstyle=|<script(?! type=\"module\" src=)|\son\w+=", html)


@pytest.mark.django_db
def test_header_leads_to_the_same_page_in_other_apps_and_languages(client):
    html = page(client, f"{HOME}browse/?kind=theme")
    assert '<a href="/en-US/firefox/browse/?kind=theme" aria-current="true">Firefox</a>' in html
    assert '<a href="/en-US/thunderbird/browse/?kind=theme">Thunderbird</a>' in html
    assert '<a href="/de/firefox/browse/?kind=theme" lang="de" hreflang="de">Deutsch</a>' in html


@pytest.mark.django_db
def test_header_marks_where_the_visitor_is(client):
    assert re.findall(r'aria-current="page">([^<]+)</a>\n', page(client, f"{HOME}browse/?kind=theme"))[0] == "Themes"


@pytest.mark.django_db
def test_visitors_can_log_in_and_members_log_out(client, member):
    assert f'action="{HOME}users/logout/"' in page(member)
    member.logout()
    html = page(client)
    assert f'href="{HOME}users/login/"' in html
    assert "logout" not in html


@pytest.mark.django_db
def test_keyboard_leads_past_the_header(client):
    html = page(client)
    assert html.index('<a class="skip-link" href="#content">') < html.index("<header")
    assert '<main class="site-main" id="content">' in html


@pytest.mark.django_db
def test_lost_visitors_find_back(client):
    html = page(client, f"{HOME}addon/nothing/", 404)
    assert "There is nothing here" in html
    assert f'href="{HOME}browse/"' in html


def test_page_of_an_error_depends_on_nothing():
    html = get_template("500.html").render()
    assert "Something went wrong" in html
    assert not re.search(r"(href|src)=", html)
