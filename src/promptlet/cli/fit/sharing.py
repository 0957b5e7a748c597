"""`promptlet fit --push ID`: looked into before anything is learned, done once the prompt file stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.cli.given.places import command_to_push, facts_of_push
from promptlet.errors import HubError, OptionError

if TYPE_CHECKING:
    from promptlet.hub import Pushed


@dataclass(frozen=True)
class Share:
    """Where a prompt goes when it is there, and what its card says of its licence."""

    hub_id: str
    license: str | None
    private: bool

    def push(self, file: Path) -> Pushed:
        """Push a prompt file. Raises HubError that says how to do it later."""
        from promptlet.hub import contents_of, push
        from promptlet.promptfile import load_prompt_file

        prompt = load_prompt_file(file)
        title = self.hub_id.split("/")[1]
        try:
            contents = contents_of(
                prompt, prompt.precision, hub_id=self.hub_id, title=title, license=self.license
            )
            return push(self.hub_id, contents, private=self.private or None)
        except HubError as error:
            later = command_to_push(file, self.hub_id, self.license, self.private)
            raise HubError(
                f"{error}. The prompt is in {file}; push it later: {later}", error.status
            ) from error


def checked_share(hub_id: str | None, license: str | None, private: bool) -> Share | None:
    """What is to be pushed; None where nothing is. Raises OptionError and HubError for what the hub would
    refuse."""
    if hub_id is None:
        if license is not None or private:
            raise OptionError("--license and --private are about what is pushed; give --push OWNER/NAME too")
        return None
    from promptlet.hub import check_push

    return Share(hub_id, check_push(hub_id, license=license), private)


def pushed_facts(share: Share | None, file: Path) -> tuple[dict[str, Any], str]:
    """For ``--json``: where it was pushed, if anywhere; and what went wrong, which loses no other fact."""
    if share is None:
        return {}, ""
    try:
        return {"pushed": facts_of_push(share.push(file))}, ""
    except (HubError, OptionError) as error:
        return {"pushed": None, "push_error": str(error)}, str(error)
