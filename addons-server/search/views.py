"""The page that search leads to."""

from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.listing import Listing
from search import index

LONGEST = 200


@require_safe
def search(request):
    """List the add-ons of the app in which the words occur, the most relevant first."""
    words = request.GET.get("q", "").replace("\0", " ").strip()[:LONGEST]
    listing = Listing.asked_for(request)
    found = index.find(listing.addons(), words)
    relevance = "relevance" in found.query.annotations
    context = {"words": words, **listing.context(request, found, by_relevance=relevance)}
    return render(request, "search/search.html", context)
