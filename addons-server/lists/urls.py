"""The addresses of collections."""

from django.urls import path

from lists import views

urlpatterns = [
    path("collections/", views.collections, name="collections"),
    path("collections/new/", views.create, name="collection_create"),
    path("collections/<int:pk>/", views.collection, name="collection"),
    path("collections/<int:pk>/remove/<slug:slug>/", views.remove, name="collection_remove"),
    path("addon/<slug:slug>/collect/", views.collect, name="collect"),
]
