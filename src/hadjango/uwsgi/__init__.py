"""The side of the overlay that uWSGI sees."""
