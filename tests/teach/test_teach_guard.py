"""Attacks: other machines, other pages, other names, wrong tokens; and what every answer tells browsers."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dropped import image, photo
from live_page import PORT, URL, Page, page_over, problem
from starlette.routing import Route

from promptlet.serve.addresses import address_of
from promptlet.teach.http import token as tokens
from promptlet.teach.http.guard import OPEN
from promptlet.teach.http.headers import ALWAYS, POLICY
from promptlet.teach.http.names import names_of
from promptlet.teach.http.token import StartToken

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with page_over(tmp_path_factory.mktemp("guard")) as made:
        made.ask("POST", "/v1/projects", json={"title": "Pets"})
        made.upload("pets", [0, 1], "cat")
        yield made


@pytest.fixture(autouse=True)
def no_cookies(page: Page) -> None:
    """Of the test before."""
    page.client.cookies.clear()


def routes(page: Page) -> list[tuple[str, str]]:
    """Of the application, with names in their paths."""
    app: Any = page.client.app
    while not hasattr(app, "routes"):
        app = app.app
    names = {"{id}": "pets", "{image}": image(0), "{slug}": "busy", "{name}": "pets", "{path:path}": "x.js"}
    found = []
    for route in app.routes:
        if isinstance(route, Route):
            path = route.path
            for name, value in names.items():
                path = path.replace(name, value)
            found += [(method, path) for method in sorted(route.methods or ())]
    return found


def test_nobody_without_the_token_is_told_anything(page: Page) -> None:
    asked = routes(page)
    assert len(asked) > 35
    for method, path in asked:
        answer = page.client.request(method, path)
        if path in OPEN:
            assert answer.status_code == 200
        elif method == "HEAD":
            assert answer.status_code == 401 and not answer.content
        else:
            assert "token" in problem(answer, "unauthorised"), (method, path)
            assert "www-authenticate" in answer.headers and "cat" not in answer.text


def test_a_browser_that_looks_for_a_picture_is_told_nothing(page: Page) -> None:
    answer = page.client.get("/favicon.ico")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/projects/", "/static/../x", "/docs", "/redoc"])
def test_nor_what_there_is_not(page: Page, path: str) -> None:
    assert page.client.get(path).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic {}",
        "{}",
        "Bearer {}x",
        "Bearer x{}",
        "Bearer {}, Bearer {}",
        "bearer\t{}",
        "Bearer " + "x" * 5000,
        "Bearer pl_abc_" + "x" * 43,
    ],
)
def test_headers_that_are_not_the_token(page: Page, header: str) -> None:
    given = header.replace("{}", page.token)
    answer = page.client.get("/v1/projects", headers={"Authorization": given})
    problem(answer, "unauthorised")


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "x=y",
        f"promptlet-teach-{PORT}=",
        f"promptlet-teach-{PORT}=x",
        f"promptlet-teach-{PORT + 1}={{}}",
        f"PROMPTLET-TEACH-{PORT}={{}}",
        f"promptlet-teach-{PORT}={{}}x",
        f"promptlet-teach-{PORT}; a={{}}",
        "a" * 9000 + f"; promptlet-teach-{PORT}={{}}",
        "\xff\xfe[]=;;;===",
    ],
)
def test_cookies_that_are_not_the_token(page: Page, cookie: str) -> None:
    given = cookie.replace("{}", page.token).encode("latin-1")
    answer = page.client.get("/v1/projects", headers={"Cookie": given, "Sec-Fetch-Site": "same-origin"})
    problem(answer, "unauthorised")


def test_a_token_is_compared_whole_in_a_time_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    own = hmac.compare_digest

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((len(first), len(second)))
        return own(first, second)

    monkeypatch.setattr(tokens.hmac, "compare_digest", compare)
    token = StartToken(1)
    assert (
        len(token.secret) >= 43 and token.secret != StartToken(1).secret and token.secret not in repr(token)
    )
    assert token.is_right(token.secret)
    assert not any(map(token.is_right, ("", token.secret[:-1], token.secret + "x", "é\ud800", "x" * 10**6)))
    assert set(compared) == {(32, 32)} and len(compared) == 6


# -- the way in ------------------------------------------------------------------------------------------


def test_who_opens_the_printed_address_is_let_in(page: Page) -> None:
    answer = page.client.get(f"/?token={page.token}", headers={**HTML, "Sec-Fetch-Site": "none"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie == f"{page.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert page.token not in answer.text and answer.headers["referrer-policy"] == "no-referrer"
    found = page.client.get("/", headers={**HTML, "Cookie": page.cookie, "Sec-Fetch-Site": "none"})
    assert found.status_code == 200 and "<main" in found.text


def test_a_link_on_another_page_lets_in_by_a_page_of_ours(page: Page) -> None:
    """Browsers hold a strict cookie back on a redirect that another site began."""
    answer = page.client.get(f"/?token={page.token}", headers={**HTML, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200 and "http-equiv=refresh" in answer.text
    assert page.token not in answer.text and "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", "/anything"])
def test_others_are_told_where_the_address_stands(page: Page, path: str) -> None:
    answer = page.client.get(path, headers=HTML)
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert "promptlet teach" in answer.text and "<form method=get action='/'>" in answer.text
    assert ("not right" in answer.text) == ("token" in path)
    assert "<script" not in answer.text and "style=" not in answer.text


def test_what_is_sent_as_a_token_never_stands_in_a_page(page: Page) -> None:
    answer = page.client.get("/?token=<script>alert(1)</script>", headers=HTML)
    assert "alert(1)" not in answer.text


# -- other pages in the same browser -------------------------------------------------------------------

FOREIGN = (
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
    {"Origin": f"http://localhost:{PORT}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": URL, "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": ""},
    {"Origin": f"{URL}.evil.example", "Sec-Fetch-Site": ""},
    {"Origin": f"http://evil@127.0.0.1:{PORT}", "Sec-Fetch-Site": ""},
    {"Origin": f"{URL}/", "Sec-Fetch-Site": ""},
    {"Origin": f"ftp://127.0.0.1:{PORT}", "Sec-Fetch-Site": ""},
    {"Origin": "http://[", "Sec-Fetch-Site": ""},
    {"Origin": f"{URL}, {URL}", "Sec-Fetch-Site": ""},
    {"Origin": "", "Sec-Fetch-Site": ""},
    {"Origin": "", "Sec-Fetch-Site": "none"},
    {"Origin": "", "Sec-Fetch-Site": "cross-site"},
)


def _kept(page: Page) -> dict[str, Any]:
    """A project but for how far its images are read, which goes on by itself."""
    state: dict[str, Any] = page.ask("GET", "/v1/projects/pets").json()
    return {key: value for key, value in state.items() if key != "encoded"}


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_page_changes_anything_though_the_cookie_is_sent(
    page: Page, headers: dict[str, str]
) -> None:
    before = _kept(page)
    forms: list[dict[str, Any]] = [
        {"json": {"action": "delete-class", "name": "cat"}},
        {"content": b'{"action": "delete-class", "name": "cat"}', "headers": {"Content-Type": "text/plain"}},
    ]
    for more in forms:
        own = {**more.pop("headers", {}), **headers}
        problem(page.browse("POST", "/v1/projects/pets/changes", own, **more), "foreign-page")
    for method, path in (
        ("DELETE", "/v1/projects/pets"),
        ("PATCH", "/v1/projects/pets"),
        ("POST", "/v1/projects/pets/undo"),
        ("PUT", "/v1/prompts/pets"),
        ("POST", "/v1/predict"),
        ("POST", "/v1/projects/pets/training"),
    ):
        problem(page.browse(method, path, headers), "foreign-page")
    assert _kept(page) == before


def test_the_page_itself_may(page: Page) -> None:
    for headers in ({}, {"Origin": ""}, {"Sec-Fetch-Site": ""}):
        answer = page.browse("POST", "/v1/projects/pets/changes", headers, json={"action": "nope"})
        problem(answer, "wrong-fields")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects",
        f"/v1/projects/pets/images/{image(0)}",
        "/v1/projects/pets/archive",
        "/static/app/main.js",
    ],
)
def test_no_other_page_shows_or_loads_what_is_here(page: Page, path: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    problem(page.browse("GET", path, headers), "foreign-page")
    answer = page.browse("GET", path)
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers


def test_a_link_to_the_page_may_be_followed(page: Page) -> None:
    visit = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.browse("GET", "/", visit).status_code == 200
    framed = {**visit, "Sec-Fetch-Dest": "iframe"}
    problem(page.browse("GET", "/", framed), "foreign-page")


def test_no_page_of_others_is_ever_told_that_it_may_ask(page: Page) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = page.browse("OPTIONS", "/v1/projects", headers)
    assert answer.status_code in (403, 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]


# -- other names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1.evil.example", "", "a b"]
)
def test_other_names_that_lead_here_are_refused(page: Page, host: str) -> None:
    for headers in ({"Cookie": page.cookie}, {"Authorization": f"Bearer {page.token}"}, {}):
        answer = page.client.get("/v1/projects", headers={**headers, "Host": host})
        problem(answer, "wrong-host")


@pytest.mark.parametrize("host", [f"localhost:{PORT}", "localhost", "[::1]:80", "LOCALHOST:1234"])
def test_own_names_are_answered(page: Page, host: str) -> None:
    answer = page.browse("POST", "/v1/projects/pets/undo", {"Host": host, "Origin": f"http://{host}"})
    assert answer.status_code == 200
    page.ask("POST", "/v1/projects/pets/redo")


def test_a_server_that_listens_everywhere_knows_numbers_and_its_own_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Desk")
    monkeypatch.setattr("socket.getfqdn", lambda *_: "desk.example")
    names = names_of(address_of("0.0.0.0", PORT))
    assert names.alone is None
    for host in ("192.168.1.5:80", "desk", "desk.example:8080", "[fe80::1]", "localhost"):
        assert names.has(host), host
    for host in ("evil.example", "desk.evil.example", "", "a/b", "1.2.3.4.evil.example", "[x]"):
        assert not names.has(host), host
    assert names_of(address_of("127.0.0.1", PORT)).alone == {"localhost", "127.0.0.1", "[::1]"}
    with page_over(tmp_path, host="0.0.0.0") as page:
        problem(page.browse("GET", "/v1/projects", {"Host": "evil.example"}), "wrong-host")
        assert page.browse("GET", "/v1/projects", {"Host": "192.168.1.5"}).status_code == 200


# -- paths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/../start.py",
        "/static/%2e%2e/start.py",
        "/static/..%2fstart.py",
        "/static/app/..%2f..%2fstart.py",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/app%5c..%5c..%5cstart.py",
        "/static/.hidden.js",
        "/static/app",
        "/static/app/",
        "/static/",
        "/static/app/main.js%00.css",
        "/static/app/nope.js",
        "/static/index.html/../../start.py",
        "/v1/projects/..%2f..%2fetc/images/passwd",
        "/v1/projects/pets%00/images/x",
    ],
)
def test_no_path_leads_out(page: Page, path: str) -> None:
    answer = page.ask("GET", path)
    assert answer.status_code == 404 and "import" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize("name", ["..%2f..%2fproject.json", "project.json", "%2e%2e", "x" * 500, "%00", "é"])
def test_no_image_is_another_file(page: Page, name: str) -> None:
    for path in (f"/v1/projects/pets/images/{name}", f"/v1/projects/pets/images/{name}/thumbnail"):
        assert page.ask("GET", path).status_code == 404


@pytest.mark.parametrize(
    "project", ["..", "%2e%2e", ".removed", "..%2f", "pets%2f..%2fpets", "PETS ", "a%0d%0ab: c"]
)
def test_no_project_is_another_folder(page: Page, project: str) -> None:
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/restore"),
        ("GET", "/archive"),
        ("GET", "/events"),
    ):
        answer = page.ask(
            method, f"/v1/projects/{project}{rest}"
        )  # ../events is that of several, which asks for some
        assert answer.status_code in (404, 405) or "project=ID" in problem(answer, "wrong-fields")


def test_names_of_files_never_break_a_header(page: Page) -> None:
    name = 'a"b\r\nSet-Cookie: x=y; \u202egpj.\U0001f600.png'
    files = [("images", (name, photo(777), "image/png"))]
    [added] = page.ask("POST", "/v1/projects/pets/images", files=files).json()["added"]
    answer = page.ask("GET", f"/v1/projects/pets/images/{added['id']}?download=1")
    told = answer.headers["content-disposition"]
    assert told.startswith("attachment; filename*=UTF-8''") and "set-cookie" not in answer.headers
    assert told.isascii() and "\n" not in told and '"' not in told


# -- what every answer tells browsers ---------------------------------------------------------------------


def test_every_answer_has_the_headers_of_safety(page: Page) -> None:
    skipped = ("/v1/projects/pets/events",)
    asked = [one for one in routes(page) if one[1] not in skipped and one[0] != "DELETE"]
    asked += [("GET", "/nope"), ("POST", "/healthz"), ("GET", "/static/app/main.js"), ("GET", "/")]
    for method, path in asked:
        for answer in (page.client.request(method, path), page.ask(method, path)):
            for name, value in ALWAYS.items():
                if name in ("content-security-policy", "cache-control"):
                    assert name in answer.headers, (method, path, name)
                else:
                    assert answer.headers[name] == value, (method, path, name)
            if "/images/" not in path:
                assert answer.headers["content-security-policy"] == POLICY
    for headers in ({"Content-Length": "999999999999"}, {"Host": "evil.example"}):
        answer = page.ask("POST", "/v1/projects", headers=headers)
        assert answer.status_code in (413, 421) and answer.headers["content-security-policy"] == POLICY


def test_an_image_opened_by_itself_can_do_nothing(page: Page) -> None:
    for rest, kind in (("", "image/png"), ("/thumbnail", "image/jpeg")):
        answer = page.ask("GET", f"/v1/projects/pets/images/{image(0)}{rest}")
        assert (
            answer.headers["content-type"] == kind and answer.headers["x-content-type-options"] == "nosniff"
        )
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_a_mistake_of_ours_tells_nothing_and_has_the_headers(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(page.shelf, "ids", fail)
    answer = page.ask("GET", "/v1/projects")
    assert (
        "secret" not in problem(answer, "internal") and answer.headers["x-content-type-options"] == "nosniff"
    )


def test_the_policy_allows_nothing_of_others() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert (
        rules["default-src"]
        == rules["base-uri"]
        == rules["frame-ancestors"]
        == rules["trusted-types"]
        == "'none'"
    )
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY and "data:" not in POLICY


# -- beside a server of prompts ------------------------------------------------------------------------------


def test_beside_other_routes_only_the_page_is_guarded(tmp_path: Path) -> None:
    with page_over(tmp_path, is_whole=False) as page:
        assert page.client.get("/v1/prompts").status_code == page.client.get("/metrics").status_code == 200
        assert page.client.put("/v1/prompts/x").status_code == 403
        for path in ("/v1/projects", "/v1/projects/x", "/v1/events", "/", "/static/app/main.js", "/nope"):
            problem(page.client.get(path), "unauthorised")
        assert page.browse("GET", "/v1/projects").status_code == 200
        problem(page.browse("PUT", "/v1/prompts/x", content=b"x"), "wrong-prompt-file")  # the page may
        problem(page.browse("PUT", "/v1/prompts/x", {"Origin": "https://evil.example"}), "admin-only")
