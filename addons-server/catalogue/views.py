"""The pages of the catalogue."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from catalogue import fresh, totals
from catalogue.forms import SubmitForm
from catalogue.listing import Listing
from catalogue.models import Addon
from lists.forms import CollectForm
from lists.models import Collection
from locales.prefixes import Prefix
from ratings.forms import ReviewForm
from ratings.models import Review

FORM = ["GET", "HEAD", "POST"]
REVIEWS = 5
PAGE = 20


@require_safe
def home(request):
    """Show what is used most, what is rated best and what is new; most of it comes from the cache."""
    addons = Addon.objects.for_app(request.prefix.app).for_cards()
    extensions, themes = addons.filter(kind=Addon.Kind.EXTENSION), addons.filter(kind=Addon.Kind.THEME)
    context = {
        "mark": fresh.mark(),
        "extensions": extensions.sorted("users")[:6],
        "rated": extensions.filter(standing__reviews__gt=0).sorted("rating")[:6],
        "themes": themes.sorted("users")[:6],
        "new": addons.sorted("created")[:6],
        "collections": Collection.objects.filter(public=True).for_cards()[:4],
        "categories": totals.of(request.prefix.app),
    }
    return render(request, "catalogue/home.html", context)


@require_safe
def browse(request):
    """List the app's add-ons, narrowed down and in order."""
    listing = Listing.asked_for(request)
    return render(request, "catalogue/browse.html", listing.context(request, listing.addons()))


@require_safe
def categories(request):
    """List the app's categories."""
    return render(request, "catalogue/categories.html", {"categories": totals.of(request.prefix.app)})


@require_safe
def category(request, slug):
    """List the add-ons of a category."""
    listing = Listing.asked_for(request, category=slug)
    if not listing.known_category():
        raise Http404
    return render(request, "catalogue/browse.html", listing.context(request, listing.addons()))


@require_http_methods(FORM)
def addon(request, slug):
    """Show an add-on, and what its users think of it; a POST is the visitor's own review."""
    shown = get_object_or_404(Addon.objects.for_cards().prefetch_related("support", "categories"), slug=slug)
    if elsewhere := _elsewhere(request, shown):
        return HttpResponseRedirect(elsewhere)
    own = Review.objects.filter(addon=shown, user_id=request.user.pk).first()
    form = ReviewForm(request.POST or None, instance=own)
    if request.method == "POST":
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if form.is_valid():
            return _review(request, shown, form.cleaned_data)
    return render(request, "catalogue/addon.html", _detail(request, shown, own, form))


def _elsewhere(request, addon):
    """Return the add-on's address in an app that it is made for, if it is not made for this one."""
    apps = addon.apps
    if request.method == "POST" or not apps or request.prefix.app in apps:
        return None
    base = request.path.removesuffix(request.path_info)
    return f"{base}/{Prefix(request.prefix.locale, apps[0].value).path}addon/{addon.slug}/"


def _review(request, addon, given):
    """Keep the user's review, new or in place of the old one."""
    Review.objects.update_or_create(addon=addon, user=request.user, defaults=given)
    messages.success(request, _("Thank you! Your review is saved."))
    return redirect(addon)


def _detail(request, addon, own, form):
    """Return all that an add-on's page shows."""
    context = {
        "addon": addon,
        "categories": [category for category in addon.categories.all() if category.app == request.prefix.app],
        "versions": addon.versions.all()[:3],
        "reviews": addon.reviews.select_related("user")[:REVIEWS],
        "own": own,
        "form": form,
        "login": f"{reverse('login')}?next={request.path}",
    }
    if request.user.is_authenticated:
        context["collect"] = CollectForm(request.user)
    return context


@require_safe
def versions(request, slug):
    """List all versions of an add-on."""
    shown = get_object_or_404(Addon, slug=slug)
    page = Paginator(shown.versions.all(), PAGE).get_page(request.GET.get("page"))
    return render(request, "catalogue/versions.html", {"addon": shown, "page": page})


@require_http_methods(FORM)
@login_required
def submit(request):
    """Take in a new add-on."""
    initial = {"apps": [request.prefix.app], "number": "1.0"}
    form = SubmitForm(request.POST or None, request.FILES or None, initial=initial)
    if form.is_valid():
        made = form.save(request.user)
        messages.success(request, _("%(addon)s is in the catalogue now.") % {"addon": made})
        return redirect(made)
    return render(request, "catalogue/submit.html", {"form": form})
