"""The addresses of the catalogue."""

from django.urls import path

from catalogue import views

app_name = "catalogue"

urlpatterns = [
    path("", views.home, name="home"),
    path("addons/", views.addons, name="addons"),
    path("addon/<slug:slug>/", views.addon, name="addon"),
]
