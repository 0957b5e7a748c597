"""A hub on this machine: what `huggingface_hub` asks of the real one for a push and a download, in memory.

Repositories have one branch, main, and tags. A file of more than ``lfs_above`` bytes, or one that is named in
``lfs_names``, goes the way of large files (LFS): its bytes apart from the commit, and behind a redirection.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from loopback import Asked, Reply, as_json, listening

WRITE, READ = "hf_write", "hf_read"
LICENSES = {"apache-2.0", "mit", "cc-by-4.0", "other"}


@dataclass
class Repository:
    """commits: by hash, the files of that version by path, the newest last; tags: to commits."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a hash."""
        if revision == "main":
            return next(reversed(self.commits), None)
        found = self.tags.get(revision, revision)
        return found if found in self.commits else None

    def files(self) -> dict[str, bytes]:
        newest = self.at("main")
        return self.commits[newest] if newest else {}


@dataclass
class Hub:
    """tokens: who each belongs to. failing: by a part of a path, what is answered in place of the truth.
    asked: every request as it came."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=lambda: {WRITE: "jane", READ: "jane"})
    teams: tuple[tuple[str, str], ...] = (("vets", "write"), ("press", "read"))
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    lfs_above: int = 10 * 2**20
    lfs_names: tuple[str, ...] = ()
    failing: dict[str, Reply] = field(default_factory=dict)

    @property
    def store(self) -> str:
        """Where large files lie: another host than the hub's, as a client sees it."""
        return self.url.replace("127.0.0.1", "localhost")

    def put(self, hub_id: str, files: dict[str, bytes], private: bool = False) -> str:
        """A commit by somebody else; its hash."""
        there = self.repositories.setdefault(hub_id, Repository(private))
        return self._commit(there, files)

    def answer(self, asked: Asked) -> Reply:
        path = unquote(urlsplit(asked.path).path)
        for part, reply in self.failing.items():
            if part in path:
                return reply
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return refusal(401, "", "Invalid credentials in Authorization header")
        routes = {
            r"/api/whoami-v2": self._whoami,
            r"/api/repos/create": self._create,
            r"/api/validate-yaml": self._validate,
            r"/api/models/([^/]+/[^/]+)(?:/revision/main)?": self._info,
            r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)": self._preupload,
            r"/api/models/([^/]+/[^/]+)/commit/([^/]+)": self._take_commit,
            r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch": self._batch,
            r"/large/([0-9a-f]{64})": self._large,
            r"/([^/]+/[^/]+)/resolve/(.+)/([^/]+)": self._resolve,
        }
        for form, act in routes.items():
            match = re.fullmatch(form, path)
            if match is not None:
                return act(asked, token, *match.groups())
        raise AssertionError(f"the stand-in knows no {asked.method} {asked.path}")

    # -- who, what, where ------------------------------------------------------------------------------

    def _whoami(self, asked: Asked, token: str) -> Reply:
        if not token:
            return refusal(401, "", "Unauthorized")
        role = "read" if token == READ else "write"
        teams = [{"name": name, "roleInOrg": own} for name, own in self.teams]
        told = {"name": self.tokens[token], "orgs": teams, "auth": {"accessToken": {"role": role}}}
        return as_json(told)

    def _create(self, asked: Asked, token: str) -> Reply:
        body = json.loads(asked.body)
        hub_id = f"{body['organization']}/{body['name']}"
        if not self._may_write(token, hub_id):
            return refusal(403, "", "You don't have the rights to create a model under this namespace")
        url = f"{self.url}/{hub_id}"
        if hub_id in self.repositories:
            return as_json({"error": "You already created this model repo", "url": url}, 409)
        self.put(hub_id, {".gitattributes": b"*.bin filter=lfs\n"}, body.get("visibility") == "private")
        return as_json({"url": url, "name": hub_id})

    def _validate(self, asked: Asked, token: str) -> Reply:
        """As the hub: it reads the lines between ``---``, and knows licences."""
        import yaml

        front = yaml.safe_load(json.loads(asked.body)["content"].split("---\n")[1])
        if front.get("license") not in {*LICENSES, None}:
            told = {"errors": [{"message": '"license" must be one of [...]'}], "warnings": []}
            return as_json(told, 400)
        warnings = [] if front.get("license") else [{"message": "no license"}]
        return as_json({"errors": [], "warnings": warnings})

    def _info(self, asked: Asked, token: str, hub_id: str) -> Reply:
        there = self._readable(token, hub_id)
        if there is None:
            return _missing()
        siblings = [{"rfilename": name} for name in there.files()]
        told = {"id": hub_id, "sha": there.at("main"), "private": there.private, "siblings": siblings}
        return as_json(told)

    # -- what is put -----------------------------------------------------------------------------------

    def _preupload(self, asked: Asked, token: str, hub_id: str, revision: str) -> Reply:
        there = self._readable(token, hub_id)
        if there is None:
            return _missing()
        found = []
        for file in json.loads(asked.body)["files"]:
            own = there.files().get(file["path"])
            is_large = file["size"] > self.lfs_above or file["path"] in self.lfs_names
            oid = None if own is None else _oid(own, is_large)
            mode = "lfs" if is_large else "regular"
            found.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return as_json({"files": found})

    def _batch(self, asked: Asked, token: str, hub_id: str) -> Reply:
        objects: list[dict[str, Any]] = []
        for one in json.loads(asked.body)["objects"]:
            upload = {"href": f"{self.store}/large/{one['oid']}", "header": {}}
            known = one["oid"] in self.large
            objects.append({**one, **({} if known else {"actions": {"upload": upload}})})
        kind = "application/vnd.git-lfs+json"
        return as_json({"transfer": "basic", "objects": objects}, **{"Content-Type": kind})

    def _large(self, asked: Asked, token: str, oid: str) -> Reply:
        if asked.method == "PUT":
            assert hashlib.sha256(asked.body).hexdigest() == oid
            self.large[oid] = asked.body
            return 200, {}, b""
        return 200, {"ETag": f'"{oid}"'}, self.large[oid]

    def _take_commit(self, asked: Asked, token: str, hub_id: str, revision: str) -> Reply:
        if not self._may_write(token, hub_id):
            return refusal(403, "", "Forbidden: you need write access")
        there, files = self.repositories[hub_id], {}
        lines = [json.loads(line) for line in asked.body.splitlines()]
        assert lines[0]["key"] == "header" and lines[0]["value"]["summary"]
        for line in lines[1:]:
            value = line["value"]
            is_large = line["key"] == "lfsFile"
            files[value["path"]] = (
                self.large[value["oid"]] if is_large else base64.b64decode(value["content"])
            )
        commit = self._commit(there, files)
        return as_json(
            {"success": True, "commitOid": commit, "commitUrl": f"{self.url}/{hub_id}/commit/{commit}"}
        )

    def _commit(self, there: Repository, files: dict[str, bytes]) -> str:
        commit = hashlib.sha1(f"{len(there.commits)}{sorted(files)}{files}".encode()).hexdigest()
        there.commits[commit] = {**there.files(), **files}
        return commit

    # -- what is read ----------------------------------------------------------------------------------

    def _resolve(self, asked: Asked, token: str, hub_id: str, revision: str, name: str) -> Reply:
        there = self._readable(token, hub_id)
        if there is None:
            return _missing()
        commit = there.at(revision)
        if commit is None:
            return refusal(404, "RevisionNotFound", "Invalid rev id")
        head = {"X-Repo-Commit": commit}
        data = there.commits[commit].get(name)
        if data is None:
            return refusal(404, "EntryNotFound", "Entry not found", head)
        if len(data) > self.lfs_above or name in self.lfs_names:
            oid = hashlib.sha256(data).hexdigest()
            self.large[oid] = data
            linked = {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
            return 302, {**head, **linked, "Location": f"{self.store}/large/{oid}"}, b""
        return 200, {**head, "ETag": f'"{_oid(data, False)}"'}, data

    def _readable(self, token: str, hub_id: str) -> Repository | None:
        there = self.repositories.get(hub_id)
        return None if there is None or (there.private and not token) else there

    def _may_write(self, token: str, hub_id: str) -> bool:
        own = {self.tokens.get(token), *(name for name, role in self.teams if role == "write")}
        return token != READ and hub_id.split("/")[0] in own


def _oid(data: bytes, is_large: bool) -> str:
    """As git counts, or LFS."""
    return (
        hashlib.sha256(data).hexdigest()
        if is_large
        else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    )


def refusal(status: int, code: str = "", message: str = "no", head: dict[str, str] | None = None) -> Reply:
    """As the hub says no: a reason in words, and one of its codes."""
    told = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(head or {})}
    return as_json({"error": message}, status, **told)


def _missing() -> Reply:
    return refusal(404, "RepoNotFound", "Repository not found")


@contextmanager
def standing_in(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Hub]:
    """A hub that the library of this process asks, with the token of jane, who may write; ``home`` holds the
    cache."""
    from huggingface_hub import constants

    there = Hub()
    with listening(there.answer) as place:
        there.url, there.asked = place.url, place.asked
        monkeypatch.setenv("HF_TOKEN", WRITE)
        own = {
            "ENDPOINT": place.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": place.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(home / "cache"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_STORED_TOKENS_PATH": str(home / "tokens"),
            "HF_HUB_DISABLE_TELEMETRY": True,  # it asks the hub who is calling it
            "HF_HUB_DISABLE_XET": True,  # its store is no part of the stand-in
        }
        for name, value in own.items():
            monkeypatch.setattr(constants, name, value)
        yield there
