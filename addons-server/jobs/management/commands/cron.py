"""Runs one of the jobs that are done from time to time."""

from django.core.management.base import BaseCommand, CommandError

from jobs.registry import JOBS


def known():
    """Return all jobs, with what they do."""
    return "\n".join(f"  {name:20}{function.__doc__}" for name, function in sorted(JOBS.items()))


class Command(BaseCommand):
    """Run one job."""

    help = "Runs a job, which is one of these:\n" + known()

    def add_arguments(self, parser):
        """Take the job's name."""
        parser.add_argument("job", nargs="?", help="the job's name")

    def handle(self, *args, job, **options):
        """Run it, and tell what it did."""
        if job not in JOBS:
            said = "no job is named" if job is None else f"there is no job {job!r}"
            raise CommandError(f"{said}; the jobs are\n{known()}")
        self.stdout.write(f"{job}: {JOBS[job]()}")
