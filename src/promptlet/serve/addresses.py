"""Where a server listens: whether that is this machine alone, and the socket that is taken early."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from promptlet.errors import OptionError, ServiceError, shown, why


@dataclass(frozen=True)
class Address:
    """An address to listen at. host: as it was given."""

    host: str
    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return ip_address(str(self.sockaddr[0]).partition("%")[0]).is_loopback


def address_of(host: str, port: int) -> Address:
    """The first address of a name or number. Raises OptionError where it has none."""
    name = host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OptionError(
            f"--host {shown(host)} is not found ({why(error)}); give an address of this machine, as "
            "127.0.0.1, or 0.0.0.0 for all of them"
        ) from None
    family, _, _, _, sockaddr = found[0]
    return Address(name, family, sockaddr)


def bound(address: Address, is_shared: bool = False) -> socket.socket:
    """A socket that has the address, and does not listen yet. Raises ServiceError.

    is_shared: other processes of this user that say so too may listen there as well, where the system can do
    that; it then gives each connection to one of them.
    """
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if is_shared and hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if os.name == "posix":  # a server that ended a moment ago is in nobody's way
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address.sockaddr)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ServiceError(refused(address, error)) from None
    return sock


def refused(address: Address, error: OSError) -> str:
    """Why it cannot be listened at, and what to do."""
    host, port = address.sockaddr[:2]
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken by another program; give another one, or --port 0 for a free one"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {address.host}: {host} is no address of this machine; give one that is, as 127.0.0.1"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} is not for this user (those below 1024 are the system's); give another --port"
    return f"{host} port {port} cannot be taken ({why(error)}); give another --host or --port"


def url_of(sock: socket.socket) -> str:
    """The address to ask at from this machine."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
