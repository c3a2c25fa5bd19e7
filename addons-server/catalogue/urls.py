"""The addresses of the catalogue."""

from django.urls import path

from catalogue import views

urlpatterns = [
    path("", views.home, name="home"),
    path("browse/", views.browse, name="browse"),
    path("categories/", views.categories, name="categories"),
    path("categories/<slug:slug>/", views.category, name="category"),
    path("addon/<slug:slug>/", views.addon, name="addon"),
    path("addon/<slug:slug>/versions/", views.versions, name="versions"),
    path("submit/", views.submit, name="submit"),
]
