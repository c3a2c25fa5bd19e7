"""The addresses of accounts."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from users import views

urlpatterns = [
    path("users/signup/", views.signup, name="signup"),
    path("users/login/", LoginView.as_view(template_name="users/login.html", redirect_authenticated_user=True), name="login"),
    path("users/logout/", LogoutView.as_view(), name="logout"),
    path("users/profile/", views.profile, name="profile"),
    path("users/edit/", views.edit, name="profile_edit"),
    path("user/<str:username>/", views.user, name="user"),
]
