"""The addresses of accounts."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, register_converter

from users import views


class Username:
    """A name as Django's validator lets it be, and so without what a database refuses."""

    regex = r"[\w.@+-]+"

    def to_python(self, value):
        """Return the name as it stands."""
        return value

    to_url = to_python


register_converter(Username, "username")

urlpatterns = [
    path("users/signup/", views.signup, name="signup"),
    path("users/login/", LoginView.as_view(template_name="users/login.html", redirect_authenticated_user=True), name="login"),
    path("users/logout/", LogoutView.as_view(), name="logout"),
    path("users/profile/", views.profile, name="profile"),
    path("users/edit/", views.edit, name="profile_edit"),
    path("user/<username:username>/", views.user, name="user"),
]
