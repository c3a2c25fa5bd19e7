from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.urls import path

def page(request):
    groups = " ".join(Group.objects.order_by("pk").values_list("name", flat=True))
    return HttpResponse("groups: %s, users: %d" % (groups, User.objects.count()))

urlpatterns = [path("", page), path("healthz", page), path("page", page)]
