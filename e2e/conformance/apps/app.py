"""An app for WSGI. Its files are in the folder of this one, below www."""
import hashlib
import os
from urllib.parse import parse_qs

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "www")


def app(env, start):
    path, method = env["PATH_INFO"], env["REQUEST_METHOD"]

    def answer(body, kind="text/plain", status="200 OK", more=()):
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *more])
        return [] if method == "HEAD" else [body]

    if path == "/page":
        if '"page"' in env.get("HTTP_IF_NONE_MATCH", ""):
            start("304 Not Modified", [("ETag", '"page"')])
            return []
        with open(os.path.join(FILES, "page.html"), "rb") as f:
            return answer(f.read(), "text/html", more=[("ETag", '"page"')])
    if path == "/large.bin":
        name = os.path.join(FILES, "large.bin")
        start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(os.path.getsize(name)))])
        return [] if method == "HEAD" else env["wsgi.file_wrapper"](open(name, "rb"), 65536)
    if path == "/chunked":
        start("200 OK", [("Content-Type", "text/plain")])
        return (b"line %d\n" % i for i in range(1000))
    if path == "/echo":
        return answer(parse_qs(env["QUERY_STRING"])["n"][0].encode())
    if path == "/redirect":
        return answer(b"", status="302 Found", more=[("Location", "/page")])
    if path == "/upload":
        digest, size = hashlib.sha256(), 0
        while part := env["wsgi.input"].read(65536):
            digest.update(part)
            size += len(part)
        return answer(f"{digest.hexdigest()} {size}".encode())
    return answer(b"", status="404 Not Found")
