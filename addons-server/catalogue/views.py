"""The pages of the catalogue."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from catalogue.models import Addon

PAGE = 24


@require_safe
def home(request):
    """Show what is used most, of each kind."""
    kinds = Addon.Kind
    context = {
        "extensions": Addon.objects.filter(kind=kinds.EXTENSION)[:6],
        "themes": Addon.objects.filter(kind=kinds.THEME)[:3],
    }
    return render(request, "catalogue/home.html", context)


@require_safe
def addons(request):
    """List all add-ons, or those of a kind, or those in which a word occurs."""
    kind, words = request.GET.get("kind", ""), request.GET.get("q", "").strip()
    page = Paginator(_found(kind, words), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "kind": kind, "words": words, "kinds": Addon.Kind.choices}
    return render(request, "catalogue/addons.html", context)


def _found(kind, words):
    """Return the add-ons of a known kind, if it is one, that contain the words, if there are any."""
    found = Addon.objects.all()
    if kind in Addon.Kind:
        found = found.filter(kind=kind)
    if words:
        found = found.filter(Q(name__icontains=words) | Q(summary__icontains=words))
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def addon(request, slug):
    """Show an add-on; a POST says that it is useful."""
    shown = get_object_or_404(Addon, slug=slug)
    if request.method == "POST":
        _vote(request, shown)
        return redirect(shown)
    context = {"addon": shown, "votes": shown.votes.count(), "voted": shown.guid in _voted(request)}
    return render(request, "catalogue/addon.html", context)


def _voted(request):
    """Return the guids of the add-ons for which this visitor has voted."""
    return request.session.get("voted", [])


def _vote(request, addon):
    """Count the visitor's vote, once in a session."""
    if addon.guid in _voted(request):
        return
    addon.votes.create()
    request.session["voted"] = [*_voted(request), addon.guid]
    messages.success(request, f"Thank you! Your vote for {addon} is counted.")
