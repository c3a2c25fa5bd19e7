"""The forms of collections."""

from django import forms
from django.utils.translation import gettext_lazy as _

from lists.models import Collection


class CollectionForm(forms.ModelForm):
    """A new collection, empty as yet."""

    class Meta:
        """The owner is known."""

        model = Collection
        fields = ["name", "description", "public"]
        widgets = {"description": forms.Textarea({"rows": 3})}


class CollectForm(forms.Form):
    """One of the user's collections, to put an add-on into."""

    collection = forms.ModelChoiceField(Collection.objects.none(), label=_("Collection"), empty_label=None)

    def __init__(self, user, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["collection"].queryset = Collection.objects.filter(owner=user)
