import os
from django.contrib.auth.models import Group
from django.core.management import BaseCommand, CommandError

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--again", action="store_true", help="one that is there is as good")

    def handle(self, *args, name, again, **options):
        if os.path.exists(os.path.join(os.environ["SHOP_FORBIDDEN"], f"forbidden-{name}")):
            raise CommandError(f"{name} is forbidden")
        make = Group.objects.get_or_create if again else Group.objects.create
        make(name=name)
