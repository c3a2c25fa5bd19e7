"""The people who visit, and what they tell of themselves."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Somebody with an account."""

    display_name = models.CharField(_("display name"), max_length=60, blank=True)
    avatar = models.ImageField(_("avatar"), upload_to="avatars/", blank=True)

    def __str__(self):
        return self.display_name or self.username

    def get_absolute_url(self):
        """Return the address of what others see of the user."""
        return reverse("user", args=[self.username])
