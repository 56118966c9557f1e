"""A Hugging Face Hub on loopback, in memory: what the real client asks for, answered as the Hub answers, and ways to fail.

``python tests/hub/server.py [PORT]`` runs one by itself; ``HF_ENDPOINT=http://127.0.0.1:PORT`` with
``HF_HUB_DISABLE_XET=1`` then points any client to it. Its accounts are alice, with the token ``hf_alice``, and
bob, with ``hf_bob``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

THEN = "2026-01-01T00:00:00.000Z"
LICENSES = ("apache-2.0", "cc-by-4.0", "mit", "unknown")
LARGE = (".safetensors", ".npz", ".png")
"""What the Hub keeps outside git, and hashes by SHA-256."""


@dataclass(frozen=True)
class Blob:
    """A file's content."""

    data: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Git's name for it; for a large file, for the pointer that git holds in its place."""
        raw = self.data
        if self.large:
            raw = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(raw)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid


Files = dict[str, Blob]


@dataclass
class Repo:
    """A repository of a model: commits by hash, and the branches that point to them."""

    name: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commit("main", {}, "initial commit")

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    def commit(self, branch: str, files: Files, title: str) -> str:
        told = json.dumps([branch, title, len(self.commits), {path: blob.oid for path, blob in sorted(files.items())}])
        sha = hashlib.sha1(told.encode()).hexdigest()
        self.commits[sha], self.branches[branch] = files, sha
        self.titles.append(title)
        return sha

    def find(self, revision: str) -> str | None:
        return self.branches.get(revision) or (revision if revision in self.commits else None)

    def describe(self, sha: str) -> dict[str, Any]:
        files = self.commits[sha]
        card = _metadata(files)
        tags = [*card.get("tags", []), *(f"dataset:{name}" for name in card.get("datasets", []))]
        return {
            "id": self.name,
            "author": self.owner,
            "sha": sha,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "lastModified": THEN,
            "downloads": 0,
            "likes": 0,
            "tags": tags,
            "library_name": card.get("library_name"),
            "pipeline_tag": card.get("pipeline_tag"),
            "cardData": card or None,
            "model-index": card.get("model-index"),
            "siblings": [{"rfilename": path} for path in sorted(files)],
        }


def _metadata(files: Files) -> dict[str, Any]:
    found = re.match(rb"---\n(.*?)\n---\n", files["README.md"].data, re.DOTALL) if "README.md" in files else None
    return yaml.safe_load(found[1]) if found else {}


@dataclass
class Faults:
    """How the server is to fail; at first, not at all.

    Attributes:
        status: Answer this to requests whose path matches ``where``.
        times: To how many of them; then it is well again.
        cut: Send only this part of a file, and close the connection.
        flip: Send a file with one bit changed.
        delay: Seconds to wait before each answer.
        expired: Tokens that are no longer accepted.
    """

    status: int = 0
    where: str = "."
    times: int = 1_000_000
    cut: float = 1.0
    flip: bool = False
    delay: float = 0.0
    expired: set[str] = field(default_factory=set)


@dataclass
class Hub:
    """What the server knows."""

    endpoint: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=lambda: {"hf_alice": "alice", "hf_bob": "bob"})
    faults: Faults = field(default_factory=Faults)
    requests: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Forget everything."""
        self.repos, self.large, self.faults, self.requests = {}, {}, Faults(), []


class RefusalError(Exception):
    """An answer that is an error, as the Hub's client tells them apart."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


ROUTES: list[tuple[str, re.Pattern[str], Callable[..., None]]] = []


def route(methods: str, pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def enter(handler: Callable[..., None]) -> Callable[..., None]:
        ROUTES.append((methods, re.compile(pattern), handler))
        return handler

    return enter


class Handler(BaseHTTPRequestHandler):
    """One request. Each ``@route`` is given what its pattern's groups matched."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement
    hub: ClassVar[Hub]

    def log_message(self, *words: Any) -> None:
        pass

    def do(self) -> None:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query, keep_blank_values=True)
        self.body = self._read_body()
        self.hub.requests.append(f"{self.command} {self.path}")
        faults = self.hub.faults
        time.sleep(faults.delay)
        try:
            if faults.status and faults.times and re.search(faults.where, url.path):
                faults.times -= 1
                raise RefusalError(faults.status, message="out of order")
            for methods, pattern, handler in ROUTES:
                if self.command in methods.split() and (match := pattern.fullmatch(url.path)):
                    with self.hub.lock:
                        handler(self, *map(unquote, match.groups(default="")))
                    return
            raise RefusalError(404, message=f"nothing answers {self.command} {url.path}")
        except RefusalError as refusal:
            told = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            self.answer({"error": refusal.message}, refusal.status, {k: v for k, v in told.items() if v})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - so http.server calls them

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, value: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def user(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and (token in self.hub.faults.expired or token not in self.hub.tokens):
            raise RefusalError(401, message="Invalid credentials in Authorization header")
        return self.hub.tokens.get(token)

    def repo(self, name: str, *, write: bool = False) -> Repo:
        user, repo = self.user, self.hub.repos.get(name)
        if repo is None or (repo.private and user != repo.owner):
            # To strangers, a private repository looks like one that is not there.
            raise RefusalError(404 if user else 401, "RepoNotFound", "Repository not found")
        if write and user != repo.owner:
            raise RefusalError(403 if user else 401, message="You don't have the rights to write to this repository")
        return repo

    def revision(self, repo: Repo, revision: str) -> str:
        if sha := repo.find(revision):
            return sha
        raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


@route("GET", "/api/whoami-v2")
def whoami(request: Handler) -> None:
    if request.user is None:
        raise RefusalError(401, message="Invalid username or password.")
    request.answer({"type": "user", "name": request.user, "orgs": [], "auth": {"accessToken": {"role": "write"}}})


@route("POST", "/api/validate-yaml")
def validate_yaml(request: Handler) -> None:
    told = _metadata({"README.md": Blob(json.loads(request.body)["content"].encode(), large=False)})
    known = told.get("license") in LICENSES
    errors = [] if known else [{"message": f'"license" must be one of [{", ".join(LICENSES)}]'}]
    request.answer({"errors": errors, "warnings": []}, 200 if known else 400)


@route("POST", "/api/repos/create")
def create(request: Handler) -> None:
    asked, user = json.loads(request.body), request.user
    if user is None:
        raise RefusalError(401, message="Invalid username or password.")
    owner = asked.get("organization") or user
    if owner != user:
        raise RefusalError(403, message=f"You don't have the rights to create a model under the namespace {owner!r}")
    name = f"{owner}/{asked['name']}"
    url = {"url": f"{request.hub.endpoint}/{name}", "name": name}
    if name in request.hub.repos:
        request.answer({"error": "You already created this model repo", **url}, 409)
        return
    request.hub.repos[name] = Repo(name, private=bool(asked.get("private")) or asked.get("visibility") == "private")
    request.answer(url)


@route("GET", "/api/models")
def list_models(request: Handler) -> None:
    user, found = request.user, []
    for repo in request.hub.repos.values():
        told = repo.describe(repo.branches["main"])
        visible = not repo.private or user == repo.owner
        named = request.query.get("search", [""])[0].lower() in repo.name.lower()
        if visible and named and set(request.query.get("filter", [])) <= {*told["tags"], str(told["library_name"])}:
            found.append(told)
    asked = {"id", *request.query["expand"]} if "expand" in request.query else None
    found = found[: int(request.query.get("limit", ["100"])[0])]
    request.answer([{key: value for key, value in told.items() if asked is None or key in asked} for told in found])


@route("GET", "/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
def model_info(request: Handler, name: str, revision: str) -> None:
    repo = request.repo(name)
    request.answer(repo.describe(request.revision(repo, revision or "main")))


@route("POST", "/api/models/([^/]+/[^/]+)/branch/(.+)")
def create_branch(request: Handler, name: str, branch: str) -> None:
    repo = request.repo(name, write=True)
    if branch in repo.branches:
        raise RefusalError(409, message=f"Reference already exists: {branch}")
    repo.branches[branch] = request.revision(repo, json.loads(request.body or b"{}").get("startingPoint", "main"))
    request.answer({})


@route("GET", "/api/models/([^/]+/[^/]+)/tree/([^/]+)")
def tree(request: Handler, name: str, revision: str) -> None:
    repo = request.repo(name)
    files = repo.commits[request.revision(repo, revision)]
    request.answer([{"type": "file", "path": p, "size": len(b.data), "oid": b.oid} for p, b in sorted(files.items())])


@route("POST", "/api/models/([^/]+/[^/]+)/paths-info/(.+)")
def paths_info(request: Handler, name: str, revision: str) -> None:
    repo = request.repo(name)
    files, rows = repo.commits[request.revision(repo, revision)], []
    for path in parse_qs(request.body.decode())["paths"]:
        if blob := files.get(path):
            large = {"lfs": {"oid": blob.sha256, "size": len(blob.data), "pointerSize": 134}} if blob.large else {}
            rows.append({"type": "file", "path": path, "size": len(blob.data), "oid": blob.oid, **large})
    request.answer(rows)


@route("POST", "/api/models/([^/]+/[^/]+)/preupload/(.+)")
def preupload(request: Handler, name: str, revision: str) -> None:
    repo = request.repo(name, write=True)
    there = repo.commits[request.revision(repo, revision)]
    rows = [
        {
            "path": path,
            "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
            "shouldIgnore": False,
            # By it the client knows what has not changed, and need not be sent.
            "oid": there[path].etag if path in there else None,
        }
        for path in (file["path"] for file in json.loads(request.body)["files"])
    ]
    request.answer({"files": rows})


@route("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch")
def large_files(request: Handler, name: str) -> None:
    request.repo(name, write=True)
    rows = []
    for asked in json.loads(request.body)["objects"]:
        row = {"oid": asked["oid"], "size": asked["size"]}
        if asked["oid"] not in request.hub.large:
            row["actions"] = {"upload": {"href": f"{request.hub.endpoint}/large/{asked['oid']}"}}
        rows.append(row)
    request.answer({"transfer": "basic", "objects": rows}, headers={"Content-Type": "application/vnd.git-lfs+json"})


@route("PUT", "/large/([0-9a-f]{64})")
def upload(request: Handler, oid: str) -> None:
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise RefusalError(400, message="sha256 mismatch")
    request.hub.large[oid] = request.body
    request.answer()


@route("POST", "/api/models/([^/]+/[^/]+)/commit/(.+)")
def commit(request: Handler, name: str, branch: str) -> None:
    repo = request.repo(name, write=True)
    if branch not in repo.branches:
        raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
    files, title = dict(repo.commits[repo.branches[branch]]), ""
    for line in map(json.loads, request.body.splitlines()):
        value = line["value"]
        match line["key"]:
            case "header":
                title = value["summary"]
            case "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), large=False)
            case "lfsFile":
                files[value["path"]] = Blob(request.hub.large[value["oid"]], large=True)
            case "deletedFile":
                del files[value["path"]]
    sha = repo.commit(branch, files, title)
    request.answer({"success": True, "commitOid": sha, "commitUrl": f"{request.hub.endpoint}/{name}/commit/{sha}"})


@route("GET HEAD", "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
def resolve(request: Handler, name: str, revision: str, path: str) -> None:
    repo = request.repo(name)
    if repo.gated and request.user != repo.owner:
        raise RefusalError(403 if request.user else 401, "GatedRepo", f"Access to model {name} is restricted.")
    sha = request.revision(repo, revision)
    blob = repo.commits[sha].get(path)
    if blob is None:
        raise RefusalError(404, "EntryNotFound", "Entry not found")
    headers = {"ETag": f'"{blob.etag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
    data, faults = blob.data, request.hub.faults
    if faults.flip and data:
        data = data[:-1] + bytes([data[-1] ^ 1])
    status, first = 200, 0
    if wanted := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
        status, first = 206, int(wanted[1])
        headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
    data = data[first:]
    if faults.cut < 1 and request.command == "GET":
        request.close_connection = True
        headers["Content-Length"] = str(len(data))
        data = data[: int(len(data) * faults.cut)]
    request.send(data, status, headers)


@contextmanager
def running(port: int = 0) -> Iterator[Hub]:
    """A server, as long as the block lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("BoundHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with running(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as forever:
        print(f"HF_ENDPOINT={forever.endpoint}", flush=True)  # noqa: T201
        threading.Event().wait()
