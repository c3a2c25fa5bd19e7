import os

from django.test import TestCase, tag


class ShopTest(TestCase):
    def test_page(self):
        self.assertContains(self.client.get("/"), "users: 0")

    def test_data_is_not_that_of_the_site(self):
        self.assertIn("scratch", os.environ["HADJANGO_DATA"])

    @tag("es_tests")
    def test_search(self):
        import iniconfig  # of requirements-tests.txt

        self.assertTrue(iniconfig.__file__)
