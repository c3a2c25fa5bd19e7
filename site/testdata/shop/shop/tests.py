import os

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import TestCase, tag


class ShopTest(TestCase):
    def test_page(self):
        self.assertContains(self.client.get("/"), "users: 0")

    def test_data_is_not_that_of_the_site(self):
        self.assertIn("scratch", os.environ["HADJANGO_DATA"])

    def test_uploads_are_not_those_of_the_site(self):
        name = default_storage.save("from-a-test.txt", ContentFile("not for visitors"))
        self.assertIn("scratch", default_storage.path(name))

    @tag("es_tests")
    def test_search(self):
        import iniconfig  # of requirements-tests.txt

        self.assertTrue(iniconfig.__file__)
