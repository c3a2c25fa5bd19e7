"""The tables of the first release."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates them."""

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "app",
                    models.CharField(
                        choices=[
                            ("firefox", "Firefox"),
                            ("thunderbird", "Thunderbird"),
                            ("android", "Firefox for Android"),
                            ("seamonkey", "SeaMonkey"),
                        ],
                        max_length=16,
                    ),
                ),
                ("slug", models.SlugField()),
                ("name", models.CharField(max_length=60)),
                (
                    "count",
                    models.PositiveIntegerField(default=0, editable=False, help_text="Counted by the job category_totals."),
                ),
            ],
            options={
                "verbose_name_plural": "categories",
                "ordering": ["app", "name"],
                "constraints": [models.UniqueConstraint(fields=("app", "slug"), name="category_once")],
            },
        ),
        migrations.CreateModel(
            name="Addon",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("guid", models.CharField(max_length=128, unique=True)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("summary", models.CharField(max_length=250, verbose_name="summary")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                (
                    "kind",
                    models.CharField(
                        choices=[("extension", "Extension"), ("theme", "Theme")],
                        default="extension",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("icon", models.ImageField(blank=True, upload_to="icons/", verbose_name="icon")),
                ("background", models.ImageField(blank=True, upload_to="backgrounds/", verbose_name="background")),
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
                ("modified", models.DateTimeField(auto_now=True)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="addons",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "categories",
                    models.ManyToManyField(
                        blank=True, related_name="addons", to="catalogue.category", verbose_name="categories"
                    ),
                ),
            ],
            options={
                "verbose_name": "add-on",
                "ordering": ["-users", "name"],
            },
        ),
        migrations.CreateModel(
            name="Support",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "app",
                    models.CharField(
                        choices=[
                            ("firefox", "Firefox"),
                            ("thunderbird", "Thunderbird"),
                            ("android", "Firefox for Android"),
                            ("seamonkey", "SeaMonkey"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "minimum",
                    models.CharField(blank=True, help_text="The oldest version of the app that will do.", max_length=16),
                ),
                (
                    "addon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="support", to="catalogue.addon"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "support",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=32, verbose_name="version")),
                ("notes", models.TextField(blank=True, verbose_name="release notes")),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "addon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="catalogue.addon"
                    ),
                ),
            ],
            options={
                "ordering": ["-created", "-pk"],
            },
        ),
        migrations.AddIndex(
            model_name="addon",
            index=models.Index(fields=["kind", "-users", "name"], name="addon_kind_users"),
        ),
        migrations.AddIndex(
            model_name="addon",
            index=models.Index(fields=["-users", "name"], name="addon_users"),
        ),
        migrations.AddIndex(
            model_name="addon",
            index=models.Index(fields=["-created"], name="addon_created"),
        ),
        migrations.AddConstraint(
            model_name="support",
            constraint=models.UniqueConstraint(fields=("app", "addon"), name="support_once"),
        ),
        migrations.AddConstraint(
            model_name="version",
            constraint=models.UniqueConstraint(fields=("addon", "number"), name="version_once"),
        ),
    ]
