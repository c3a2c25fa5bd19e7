"""The form for a review."""

from django import forms
from django.utils.translation import gettext_lazy as _

from ratings.models import Review


class ReviewForm(forms.ModelForm):
    """A score of one to five, and why."""

    score = forms.TypedChoiceField(
        label=_("Score"), coerce=int, choices=[(n, str(n)) for n in range(1, 6)], widget=forms.RadioSelect
    )

    class Meta:
        """The add-on and the user are known."""

        model = Review
        fields = ["score", "body"]
        widgets = {"body": forms.Textarea({"rows": 4})}
