from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST


def page(request):
    assert request.user.get_username() == request.headers["Session-Gate-User"]
    return render(request, "page.html", {"note": request.session.get("note", "")})


@require_POST
def note(request):
    request.session["note"] = request.POST["note"]
    return redirect(request.build_absolute_uri("/"))


def where(request):
    return HttpResponse(request.build_absolute_uri("/where"), content_type="text/plain")
