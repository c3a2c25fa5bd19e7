"""Compiles the translations."""

from django.core.management.base import BaseCommand, CommandError

from locales import messages


class Command(BaseCommand):
    """Compile the translations; the site is English where it was not done."""

    help = "Compiles the translations. It needs no gettext on the machine."

    def add_arguments(self, parser):
        """Take the wish to look only."""
        parser.add_argument("--check", action="store_true", help="compile nothing, but list what is not translated")

    def handle(self, *args, check, **options):
        """Compile every file, or check it."""
        for file in messages.files():
            if check:
                self._check(file)
            else:
                self.stdout.write(str(messages.compile(file)))

    def _check(self, file):
        """List what a file does not translate."""
        translated = messages.catalogue(file)
        missing = [f"{place}: {text!r}" for text, place in messages.used().items() if not _done(translated.get(_id(text)))]
        if missing:
            raise CommandError(f"{file} does not translate\n" + "\n".join(missing))
        self.stdout.write(f"{file} is complete")


def _id(text):
    """Return the text by which Babel finds a message: its singular."""
    return text[0] if isinstance(text, tuple) else text


def _done(message):
    """Return whether a message is translated, in all its forms, and nobody doubts it."""
    if message is None or message.fuzzy:
        return False
    return all(message.string) if isinstance(message.string, tuple) else bool(message.string)
