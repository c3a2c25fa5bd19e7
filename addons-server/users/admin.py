"""Users in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as Base

from users.models import User


@admin.register(User)
class UserAdmin(Base):
    """Users: as Django shows them, with what they tell of themselves."""

    list_display = ["username", "display_name", "email", "is_staff", "date_joined"]
    search_fields = ["username", "display_name", "email"]
    fieldsets = [*Base.fieldsets, ("Profile", {"fields": ["display_name", "avatar"]})]
