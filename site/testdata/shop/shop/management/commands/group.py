import os
from django.contrib.auth.models import Group
from django.core.management import BaseCommand, CommandError

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("name")

    def handle(self, *args, name, **options):
        if os.path.exists(os.path.join(os.environ["SHOP_FORBIDDEN"], f"forbidden-{name}")):
            raise CommandError(f"{name} is forbidden")
        Group.objects.create(name=name)
