"""The pages of accounts."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from catalogue.models import Addon
from lists.models import Collection
from ratings.models import Review
from users.forms import ProfileForm, SignupForm
from users.models import User

FORM = ["GET", "HEAD", "POST"]
SHOWN = 12


@sensitive_post_parameters("password1", "password2")
@require_http_methods(FORM)
def signup(request):
    """Make an account, and lead back to where the visitor came from."""
    form = SignupForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        messages.success(request, _("Welcome! Your account is ready."))
        return HttpResponseRedirect(_next(request))
    return render(request, "users/signup.html", {"form": form, "next": request.GET.get("next", "")})


def _next(request):
    """Return the address to go on to, if it is one of ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return wanted if ours else resolve_url("profile")


@require_safe
@login_required
def profile(request):
    """Show users themselves."""
    return _shown(request, request.user)


@require_safe
def user(request, username):
    """Show a user to others."""
    return _shown(request, get_object_or_404(User, username=username, is_active=True))


def _shown(request, user):
    """Show what a user has made and thinks."""
    own = user == request.user
    context = {
        "shown": user,
        "own": own,
        "addons": Addon.objects.filter(owner=user).for_cards()[:SHOWN],
        "collections": Collection.objects.seen_by(request.user).filter(owner=user).for_cards()[:SHOWN],
        "reviews": Review.objects.filter(user=user).select_related("addon", "user")[:SHOWN],
    }
    return render(request, "users/profile.html", context)


@require_http_methods(FORM)
@login_required
def edit(request):
    """Change what users tell of themselves."""
    form = ProfileForm(request.POST or None, request.FILES or None, instance=request.user)
    if form.is_valid():
        form.save()
        messages.success(request, _("Your profile is saved."))
        return redirect("profile")
    # A form that does not fit has put its values into the user that the page's header shows.
    request.user.refresh_from_db()
    return render(request, "users/edit.html", {"form": form})
