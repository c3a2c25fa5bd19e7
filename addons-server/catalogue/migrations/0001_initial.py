"""Creates add-ons and votes."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """The tables of the first release."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Addon",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("guid", models.CharField(max_length=255, unique=True)),
                ("slug", models.SlugField(unique=True)),
                ("name", models.CharField(max_length=100)),
                ("summary", models.CharField(max_length=250)),
                ("description", models.TextField(blank=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("extension", "Extension"), ("theme", "Theme")], default="extension", max_length=16
                    ),
                ),
                ("users", models.PositiveIntegerField(default=0)),
                (
                    "hue",
                    models.PositiveSmallIntegerField(
                        default=270,
                        help_text="Its colour, in degrees: 30 is red, 150 green, 270 blue.",
                        validators=[django.core.validators.MaxValueValidator(359)],
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "add-on",
                "ordering": ["-users", "name"],
                "indexes": [models.Index(fields=["kind", "-users", "name"], name="addon_kind_users")],
            },
        ),
        migrations.CreateModel(
            name="Vote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "addon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="votes", to="catalogue.addon"
                    ),
                ),
            ],
        ),
    ]
