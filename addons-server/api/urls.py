"""The addresses of the API, under /api/v1/."""

from rest_framework.routers import SimpleRouter

from api import views

router = SimpleRouter()
router.register("addons", views.AddonViewSet, basename="api-addon")
router.register("categories", views.CategoryViewSet, basename="api-category")
router.register("reviews", views.ReviewViewSet, basename="api-review")

urlpatterns = router.urls
