"""What the API tells."""

from rest_framework import serializers

from catalogue.models import Addon, Category, Version
from ratings.models import Review


class CategorySerializer(serializers.ModelSerializer):
    """A category."""

    class Meta:
        """All of it."""

        model = Category
        fields = ["app", "slug", "name", "count"]


class VersionSerializer(serializers.ModelSerializer):
    """A version of an add-on."""

    class Meta:
        """All of it."""

        model = Version
        fields = ["number", "notes", "created"]


class AddonSerializer(serializers.ModelSerializer):
    """An add-on, as lists show it."""

    apps = serializers.ListField()
    categories = CategorySerializer(many=True)
    owner = serializers.CharField(source="owner.username", default=None)
    rating = serializers.FloatField(source="standing.average", default=None)
    reviews = serializers.IntegerField(source="standing.reviews", default=0)
    url = serializers.SerializerMethodField()

    class Meta:
        """What is public."""

        model = Addon
        fields = [
            "guid", "slug", "name", "summary", "kind", "apps", "categories", "icon", "background", "users", "hue",
            "owner", "rating", "reviews", "created", "modified", "url",
        ]  # fmt: skip

    def get_url(self, addon):
        """Return the address of the add-on's page."""
        return self.context["request"].build_absolute_uri(addon.get_absolute_url())


class AddonDetailSerializer(AddonSerializer):
    """An add-on, with all there is to tell."""

    versions = VersionSerializer(many=True)

    class Meta(AddonSerializer.Meta):
        """The longer texts come on top."""

        fields = [*AddonSerializer.Meta.fields, "description", "versions"]


class ReviewSerializer(serializers.ModelSerializer):
    """A review."""

    addon = serializers.SlugField(source="addon.slug")
    user = serializers.CharField(source="user.username")

    class Meta:
        """All of it."""

        model = Review
        fields = ["id", "addon", "user", "score", "body", "created", "modified"]
