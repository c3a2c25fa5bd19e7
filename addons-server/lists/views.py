"""The pages of collections."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from catalogue.models import Addon
from lists.forms import CollectForm, CollectionForm
from lists.models import Collection

PAGE = 24


@require_safe
def collections(request):
    """List the collections that the visitor may see."""
    found = Collection.objects.seen_by(request.user).for_cards()
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "lists/collections.html", {"page": page})


@require_safe
def collection(request, pk):
    """Show a collection."""
    shown = get_object_or_404(Collection.objects.seen_by(request.user).select_related("owner"), pk=pk)
    page = Paginator(shown.addons.for_cards(), PAGE).get_page(request.GET.get("page"))
    return render(request, "lists/collection.html", {"collection": shown, "page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request):
    """Make a collection; when it was an add-on that led here, the add-on is put into it."""
    form = CollectionForm(request.POST or None)
    slug = request.POST.get("addon") or request.GET.get("addon", "")
    addon = Addon.objects.filter(slug=slugify(slug)).first()
    if form.is_valid():
        form.instance.owner = request.user
        made = form.save()
        made.addons.add(*[addon] if addon else [])
        messages.success(request, _("Your collection is made."))
        return redirect(made)
    return render(request, "lists/create.html", {"form": form, "addon": addon})


@require_POST
@login_required
def collect(request, slug):
    """Put an add-on into one of the user's collections."""
    addon = get_object_or_404(Addon, slug=slug)
    form = CollectForm(request.user, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of your collections."))
        return redirect(addon)
    chosen = form.cleaned_data["collection"]
    chosen.addons.add(addon)
    messages.success(request, _("%(addon)s is in %(collection)s now.") % {"addon": addon, "collection": chosen})
    return redirect(chosen)


@require_POST
@login_required
def remove(request, pk, slug):
    """Take an add-on out of one of the user's collections."""
    chosen = get_object_or_404(Collection, pk=pk, owner=request.user)
    chosen.addons.remove(get_object_or_404(Addon, slug=slug))
    messages.success(request, _("The add-on is taken out."))
    return redirect(chosen)
