"""Forms of accounts."""

from django import forms
from django.contrib.auth.forms import UserCreationForm

from catalogue.uploads import Picture
from users.models import User

AVATAR = Picture(most_bytes=1024 * 1024, size=(128, 128), square=True, format="PNG")


class SignupForm(UserCreationForm):
    """Name and password of a new user."""

    class Meta:
        """The rest can be told later."""

        model = User
        fields = ["username", "display_name"]


class ProfileForm(forms.ModelForm):
    """What users tell of themselves."""

    class Meta:
        """All of it optional."""

        model = User
        fields = ["display_name", "email", "avatar"]

    def clean_avatar(self):
        """Keep only a picture, made small."""
        return AVATAR.cleaned(self.cleaned_data["avatar"])
