"""Tests of hadjango.uwsgi.wsgi, with and without Django."""

import unittest

from sandbox import BuildTestCase, needs_django


class NamedApplicationTest(BuildTestCase):
    """Any WSGI application is served."""

    code = "from hadjango.uwsgi.wsgi import application; print(*application({}, None))"

    def setUp(self):
        super().setUp()
        self.write(
            "shop/web.py",
            """
            import os

            COLOUR = os.environ["COLOUR"]


            class Site:
                def __call__(self, environ, start_response):
                    return [COLOUR, "site"]


            Site.default = Site()


            def application(environ, start_response):
                return [COLOUR]
            """,
        )

    def test_environment_is_there_at_import(self):
        self.environment(HADJANGO_WSGI="shop.web:application", COLOUR="red")
        self.assertEqual(self.output(self.code), ["red"])

    def test_callable_of_an_object(self):
        self.environment(HADJANGO_WSGI="shop.web:Site.default", COLOUR="red")
        self.assertEqual(self.output(self.code), ["red site"])

    def test_without_a_callable(self):
        self.environment(HADJANGO_WSGI="shop.web", COLOUR="red")
        self.assertIn("HADJANGO_WSGI is 'shop.web': it must name", self.failure(self.code))

    def test_error_in_the_project_goes_through(self):
        self.environment(HADJANGO_WSGI="shop.web:application")
        self.assertEqual(self.failure(self.code), "KeyError: 'COLOUR'")


class UwsgiTest(BuildTestCase):
    """Under uWSGI a process gets its title and its hooks, and a request its log variable."""

    def setUp(self):
        super().setUp()
        self.under_uwsgi()
        self.environment(HADJANGO_WSGI="shop:application")
        self.write("shop.py", "body = iter([b'one'])\ndef application(environ, start_response): return body\n")

    def test_preloaded_worker_is_named_after_the_fork(self):
        code = """
            import uwsgi
            import hadjango.uwsgi.wsgi
            uwsgi.worker = 2
            uwsgi.post_fork_hook()
            print(*uwsgi.titles, sep="\\n")
        """
        self.assertEqual(self.output(code), ["uwsgi master a [v1.2-3]", "uwsgi worker 2 a [v1.2-3]"])

    def test_mule_keeps_its_name(self):
        code = "import uwsgi, hadjango.uwsgi.wsgi; uwsgi.post_fork_hook(); print(*uwsgi.titles)"
        self.assertEqual(self.output(code), ["uwsgi master a [v1.2-3]"])

    def test_lazy_worker_is_named_at_once(self):
        code = "import uwsgi, hadjango.uwsgi.wsgi; print(uwsgi.titles, hasattr(uwsgi, 'post_fork_hook'))"
        self.assertEqual(self.output(code, WORKER="3"), ["['uwsgi worker 3 a [v1.2-3]'] False"])

    def test_hook_of_the_project_is_called_too(self):
        with (self.root / "shop.py").open("a") as file:
            file.write("import uwsgi\nuwsgi.post_fork_hook = lambda: print('project')\n")
        code = "import uwsgi, hadjango.uwsgi.wsgi; uwsgi.worker = 1; uwsgi.post_fork_hook(); print(uwsgi.titles[-1])"
        self.assertEqual(self.output(code), ["project", "uwsgi worker 1 a [v1.2-3]"])

    def test_response_is_handed_on_untouched(self):
        code = """
            import shop, uwsgi
            from hadjango.uwsgi.wsgi import application
            uwsgi.worker = 4
            print(application({}, None) is shop.body, uwsgi.logvars)
        """
        self.assertEqual(self.output(code), ["True {'worker_id': '4'}"])


@needs_django
class DjangoTest(BuildTestCase):
    """A Django project is loaded and warmed."""

    settings = """
        SECRET_KEY = "test"
        ROOT_URLCONF = "shop.urls"
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "shop"]
        USE_I18N = True
        LANGUAGE_CODE = "en"
        LANGUAGES = [("en", "English"), ("de", "German")]
        TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
    """

    def setUp(self):
        super().setUp()
        self.environment(HADJANGO_SETTINGS="shop.settings")
        self.write("shop/__init__.py", "")
        self.write("shop/settings.py", self.settings)
        self.write("shop/views.py", "def home(request): pass")
        self.write(
            "shop/urls.py",
            """
            from django.conf.urls.i18n import i18n_patterns
            from django.db import connection
            from django.urls import path

            from shop.views import home

            connection.cursor().execute("SELECT 1")
            urlpatterns = i18n_patterns(path("home/", home, name="home"))
            """,
        )
        self.write("shop/templates/shop/home.html", "hello")

    def test_is_warm_and_unconnected(self):
        code = """
            from hadjango.uwsgi.wsgi import application
            from django.core.handlers.wsgi import WSGIHandler
            from django.db import connection
            from django.template import engines
            from django.urls import get_resolver
            print(isinstance(application, WSGIHandler), connection.connection)
            print(*sorted(get_resolver()._reverse_dict))
            print(*engines["django"].engine.template_loaders[0].get_template_cache)
        """
        self.assertEqual(self.output(code), ["True None", "de en", "shop/home.html"])

    def test_only_the_default_of_languages_nobody_chose(self):
        self.write("shop/settings.py", self.settings.replace("LANGUAGES", "OTHER"))
        code = "import hadjango.uwsgi.wsgi; from hadjango import warm; print(*warm.languages())"
        self.assertEqual(self.output(code), ["en"])

    def test_template_that_fails_is_passed_over(self):
        self.write("shop/templates/shop/broken.html", "{% load tags_of_another_package %}")
        done = self.python("import hadjango.uwsgi.wsgi")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^template shop/broken.html does not compile: TemplateSyntaxError: ")

    def test_urls_that_fail_go_through(self):
        self.write("shop/urls.py", "1 / 0")
        self.assertEqual(self.failure("import hadjango.uwsgi.wsgi"), "ZeroDivisionError: division by zero")

    def test_connection_of_the_master_is_closed_after_the_fork(self):
        self.under_uwsgi()
        code = """
            import uwsgi
            import hadjango.uwsgi.wsgi
            from django.db import connection
            connection.cursor()
            uwsgi.worker = 1
            uwsgi.post_fork_hook()
            print(connection.connection)
        """
        self.assertEqual(self.output(code), ["None"])


if __name__ == "__main__":
    unittest.main()
