"""What hadjango lays over a project: the project's settings in a build, and the file that uWSGI loads."""
