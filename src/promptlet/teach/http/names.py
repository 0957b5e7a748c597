"""What a server is called by browsers: a page of others may lead its own name here (DNS rebinding)."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from promptlet.serve.addresses import Address
from promptlet.serve.http.limits import LOOPBACK

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?", re.ASCII)


@dataclass(frozen=True)
class Names:
    """is_everywhere: it listens at all addresses of its machine, of which each is a name of it."""

    names: frozenset[str]
    is_everywhere: bool = False

    def has(self, host: str) -> bool:
        """Whether a header Host, with or without a port, names it."""
        found = _HOST.fullmatch(host)
        return found is not None and (
            found[1].lower() in self.names or (self.is_everywhere and _is_number(found[1]))
        )

    @property
    def alone(self) -> frozenset[str] | None:
        """All of them; None where that cannot be said."""
        return None if self.is_everywhere else self.names


def names_of(address: Address) -> Names:
    """Of a server that listens there."""
    own = f"[{address.host}]" if ":" in address.host else address.host
    names = {*LOOPBACK, own.lower()}
    if not address.is_loopback:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    listens = ip_address(str(address.sockaddr[0]).partition("%")[0])
    return Names(frozenset(names), listens.is_unspecified)


def _is_number(host: str) -> bool:
    """No name of others can be one."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
