from django.urls import path

from app import views
from app.feed import feed

urlpatterns = [
    path("", views.page),
    path("note", views.note),
    path("stream", feed),
    path("where", views.where),
]
