"""A back end of its own, with posts and their media, that leaves everything about files to askfile.

    export WEBHOOK_SECRET=whsec_$(openssl rand -base64 32)
    cat > askfile.toml <<END
    [webhook.posts]
    url = "http://127.0.0.1:9090/webhooks"
    secrets = ["$WEBHOOK_SECRET"]
    END
    askfile serve &
    python3 examples/posts.py

Make a post with `curl 127.0.0.1:9090/posts -d 'Look at this'`, open the link that is answered, send a
picture there, press Done, and look at the post: `curl 127.0.0.1:9090/posts/1`.

It needs nothing but Python: no package, no client of ours.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError
from urllib.request import Request, urlopen

ASKFILE = os.environ.get("ASKFILE_URL", "http://127.0.0.1:8787")
KEY = os.environ.get("ASKFILE_KEY")
SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
LISTEN = os.environ.get("LISTEN", "127.0.0.1:9090")
# How old a webhook may be, in seconds: an old one may be somebody's who heard it.
TOLERANCE = 300

# A database, in a program that is no example. The first post is 1.
posts = []


def askfile(method, path, body=None, request_id=None):
    """What askfile answers. A request that has a key of its own is done once, though it is sent twice."""
    request = Request(f"{ASKFILE}/v1/{path}", method=method)
    if KEY:
        request.add_header("Authorization", f"Bearer {KEY}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if request_id is not None:
        request.add_header("Idempotency-Key", request_id)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def create(text):
    """A new post, and a link for whoever has its picture."""
    posts.append(text)
    post = len(posts)
    asked = {
        "prompt": "A picture for the post, please.",
        "purpose": "post_media",
        "max_files": 4,
        "metadata": {"external_id": str(post)},
    }
    link = askfile("POST", "links", asked)
    return {"id": post, "upload_url": link["upload_url"]}


def show(post):
    """A post, with fresh links to its media."""
    attached = askfile("GET", f"targets/post/{post}/media")["items"]
    files = [askfile("GET", f"media/{one['media_id']}") for one in attached]
    media = [{"type": file["mime_type"], "url": file["download_url"]} for file in files]
    return {"id": post, "text": posts[post - 1], "media": media}


def is_from_askfile(headers, body):
    """By the Standard Webhooks scheme; while a secret is replaced there are several signatures."""
    name, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE:
        return False
    signed = hmac.new(SECRET, f"{name}.{sent_at}.".encode() + body, hashlib.sha256)
    right = "v1," + base64.b64encode(signed.digest()).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right, one) for one in given)


def heard(event, webhook_id):
    """What askfile tells: once the files are there, they belong to their post."""
    post = event["data"].get("metadata", {}).get("external_id")
    # Others may ask this askfile for files, too.
    if event["type"] == "upload.completed" and post:
        upload = {"upload_id": event["data"]["upload_id"]}
        askfile("POST", f"targets/post/{post}/media", upload, request_id=webhook_id)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, kind, post = ([*self.path.split("/"), "", ""])[:3]
        if kind == "posts" and post.isdigit() and 0 < int(post) <= len(posts):
            self.answer(200, lambda: show(int(post)))
        else:
            self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/posts":
            self.answer(200, lambda: create(body.decode()))
        elif self.path != "/webhooks":
            self.answer(404)
        elif is_from_askfile(self.headers, body):
            self.answer(204, lambda: heard(json.loads(body), self.headers["webhook-id"]))
        else:
            self.answer(401)

    def answer(self, status, work=lambda: None):
        try:
            answer = work()
        except URLError as error:
            # Where this was a webhook, askfile tells it again later.
            print(f"askfile: {error}", flush=True)
            status, answer = 502, None
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if answer is not None:
            self.wfile.write(json.dumps(answer).encode())


host, port = LISTEN.rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Handler)
print(f"posts are at http://{host}:{server.server_port}/posts", flush=True)
server.serve_forever()
