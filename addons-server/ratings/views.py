"""The pages of reviews."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from catalogue.models import Addon
from ratings.models import Review

PAGE = 20


@require_safe
def reviews(request, slug):
    """List what users think of an add-on."""
    addon = get_object_or_404(Addon.objects.for_cards(), slug=slug)
    found = addon.reviews.select_related("user")
    score = request.GET.get("score", "")
    if score in {"1", "2", "3", "4", "5"}:
        found = found.filter(score=score)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "ratings/reviews.html", {"addon": addon, "page": page, "score": score, "scores": "54321"})


@require_POST
@login_required
def delete(request, slug):
    """Take the user's own review of an add-on away."""
    review = get_object_or_404(Review, addon__slug=slug, user=request.user)
    review.delete()
    messages.success(request, _("Your review is deleted."))
    return redirect(review.addon)
