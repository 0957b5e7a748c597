"""Pages of others, in the browser that holds the key: they change nothing, read nothing, frame nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from loopback import Asked, Reply, listening
from page_axe import violations
from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach
from tools.watching import wait_until

pytestmark = pytest.mark.page
ATTACK = """<!doctype html><html lang="en"><title>other</title><h1>other</h1>
<form id="form" method="post" action="ORIGIN/v1/projects" enctype="text/plain" target="frame">
<input name='{"title": "attacked", "x": "' value='"}'></form>
<form id="files" method="post" action="ORIGIN/v1/projects/mine/images?class=attacked"
enctype="multipart/form-data" target="frame"><input type="file" name="images"></form>
<iframe name="frame"></iframe><iframe id="framed" src="ORIGIN/"></iframe>
<script>globalThis.told = {};</script></html>"""
TRIES = """async (origin) => {
  const told = {};
  const tried = async (name, path, options) => {
    try {
      const answer = await fetch(origin + path, { credentials: 'include', ...options });
      told[name] = answer.type === 'opaque' ? 'opaque' : await answer.text();
    } catch (error) {
      told[name] = 'failed';
    }
  };
  const json = JSON.stringify({ title: 'attacked' });
  const headers = { 'Content-Type': 'application/json' };
  await tried('read', '/v1/projects', {});
  await tried('json', '/v1/projects', { method: 'POST', body: json, headers });
  await tried('plain', '/v1/projects', { method: 'POST', body: json, mode: 'no-cors' });
  await tried('delete', '/v1/projects/mine', { method: 'DELETE' });
  await tried('undo', '/v1/projects/mine/undo', { method: 'POST', mode: 'no-cors' });
  return told;
}"""
SHOWN = """async (address) => new Promise((resolve) => {
  const picture = new Image();
  picture.onload = () => resolve(true);
  picture.onerror = () => resolve(false);
  picture.src = address;
})"""


def test_a_page_of_others_changes_and_reads_nothing(teach: Teach, opened: Any, drawn: Material) -> None:
    """It is on the same machine, so that the browser sends the key along; who asks is what counts."""
    page = opened(teach)
    person = Person(page)
    person.start("Mine")
    person.make_class("cat")
    person.drop(drawn.taught[drawn.names[0]], on="cat")
    person.wait_for_count("cat", 5)
    image = teach.state("mine")["classes"][0]["images"][0]
    wait_until(lambda: teach.state("mine")["encoded"] == 5, 30, "they are not read")
    before = teach.state("mine")
    page.watch.allow("")  # what the browser says of the attacks is of no interest here

    def answer(asked: Asked) -> Reply:
        return 200, {"Content-Type": "text/html"}, ATTACK.replace("ORIGIN", teach.origin).encode()

    with listening(answer) as elsewhere:
        other = page.context.new_page()
        other.goto(elsewhere.url)
        told = other.evaluate(TRIES, teach.origin)
        assert "attacked" not in json.dumps(told) and "mine" not in json.dumps(told).lower(), told
        for form in ("form", "files"):
            other.evaluate("(id) => document.getElementById(id).submit()", form)
            other.wait_for_timeout(500)
        assert not other.evaluate(SHOWN, f"{teach.origin}/v1/projects/mine/images/{image}/thumbnail")
        framed = other.locator("#framed").content_frame.locator("#main")
        assert framed.count() == 0, "it is not framed"
        other.close()
    assert teach.state("mine") == before
    assert [one["id"] for one in teach.ask("/v1/projects")["projects"]] == ["mine"]


def test_without_the_key_there_is_a_hint_and_nothing_else(teach: Teach, contexts: Any) -> None:
    context, watch = contexts(teach)
    watch.allow("status of 401")
    page = context.new_page()
    assert page.goto(f"{teach.origin}/").status == 401
    assert "promptlet teach" in page.inner_text("main, body")
    assert page.locator("#main .project").count() == 0
    assert violations(page) == []
    assert page.goto(f"{teach.origin}/?token=guessed").status == 401
    page.goto(teach.url)
    Person(page).heading("projects.title").wait_for()
    assert "token" not in page.url, "the key does not stay in the address"
