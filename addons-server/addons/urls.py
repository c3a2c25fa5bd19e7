"""The addresses of the whole site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from addons.views import healthz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="catalogue:home")),
    path("en-US/firefox/", include("catalogue.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz),
]
