"""The addresses of reviews."""

from django.urls import path

from ratings import views

urlpatterns = [
    path("addon/<slug:slug>/reviews/", views.reviews, name="reviews"),
    path("addon/<slug:slug>/reviews/delete/", views.delete, name="review_delete"),
]
