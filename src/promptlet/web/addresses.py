"""Which addresses may be connected to: those of the public internet, by the number that a name leads to.

A name says nothing of where it leads: ``photos.example.com`` may be this machine, a router or a cloud's store
of keys. So a name is looked up once, the number is judged, and that number is connected to.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from time import monotonic
from typing import Final

from promptlet.errors import ImageError, why

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""Addresses of version 4 as networks of version 6 alone write them."""
_OLD: Final = IPv6Network("::/96")
_OWN: Final = (IPv4Network("192.0.0.0/24"), IPv6Network("fec0::/10"))
"""For use within networks, which `ipaddress` counts as public: the first before Python 3.10.15, 3.11.10 and
3.12.4, the second always."""


def is_public(number: str) -> bool:
    """Whether a number, such as 93.184.216.34, is an address that anyone may reach: no private, loopback,
    link-local, reserved or multicast one, in whatever form it is written."""
    try:
        address = ip_address(number)
    except ValueError:  # with a zone: fe80::1%eth0 before Python 3.9's
        return False
    return all(map(_is_public, [address, *_within(address)]))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address in network for network in _OWN)
    )
    is_translated = isinstance(address, IPv6Address) and (address in _TRANSLATED or bool(_mapped(address)))
    return is_translated or (address.is_global and not is_special)


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Addresses of version 4 that one of version 6 leads to."""
    if not isinstance(address, IPv6Address):
        return []
    found = [*_mapped(address)]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if address in _TRANSLATED or address in _OLD:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def _mapped(address: IPv6Address) -> list[IPv4Address]:
    return [] if address.ipv4_mapped is None else [address.ipv4_mapped]


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connection to a public address of ``host``, within so many seconds for all that it has.

    Raises ImageError where it has none; OSError where it cannot be reached.
    """
    try:
        numbers = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise ImageError(f"the name {host!r} is not found ({why(error)}); check the address") from error
    public = [number for number in dict.fromkeys(numbers) if is_public(number)]
    if not public:
        raise ImageError(
            f"{host!r} leads to {numbers[0] if numbers else 'nothing'}, which is no address of the public "
            "internet; load the picture yourself and give the file"
        )
    return _first(public, port, monotonic() + seconds)


def _first(numbers: list[str], port: int, until: float) -> socket.socket:
    """To the first that answers. No name is looked up again."""
    problem = OSError("it has no address")
    for place, number in enumerate(numbers):
        share = (until - monotonic()) / (len(numbers) - place)
        try:
            return socket.create_connection((number, port), timeout=max(share, 0.01))
        except OSError as error:
            problem = error
    raise problem
