# Records every request that a Python server hands to its program, by WSGI or by ASGI.
# The kit puts in the file's name.
import json
import os

RECORD = "@RECORD@"


def record(method, target, names, body):
    line = json.dumps({"method": method, "target": target, "vars": names, "body": body.decode("latin-1")}) + "\n"
    out = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(out, line.encode())
    os.close(out)


def variables(environ):
    return [[k, str(v)] for k, v in environ.items() if k.startswith(("HTTP_", "CONTENT_"))]


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    record(environ["REQUEST_METHOD"], environ.get("RAW_URI", environ["PATH_INFO"]), variables(environ), body)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    names = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]]
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    if scope["type"] != "http":
        record("UPGRADE " + scope["type"], target, names, b"")
        await receive()
        await send({"type": "websocket.accept"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
    names.append(["version", scope["http_version"]])
    record(scope["method"], target, names, body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
