"""How the API's lists come in pages."""

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """Pages of a size that may be asked for, within bounds."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100
