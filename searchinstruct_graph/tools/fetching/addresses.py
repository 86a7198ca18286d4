"""Which addresses may be dialled: public ones, and nothing that only looks public."""

from __future__ import annotations

import ipaddress

# Inside the public space by Python's tables, yet no page of the public web: Azure's host services, 6to4 relays.
_ODD_V4 = tuple(map(ipaddress.IPv4Network, ("168.63.129.16/32", "192.88.99.0/24", "192.0.0.0/24")))
# Global unicast is 2000::/3 (IANA); within it, these carry other addresses inside them or are for documentation.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_ODD_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


def is_public(text: str, *, loopback: bool = False) -> bool:
    """Whether the IP address `text` is a public unicast address. `loopback` admits 127.0.0.0/8 and ::1 as well.

    Everything odd fails closed: mapped, translated, tunnelled, link-local, multicast and future addresses.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if loopback and (text == "::1" or (address.version == 4 and address.is_loopback)):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        odd = address.is_multicast or address.is_reserved or any(address in network for network in _ODD_V4)
        return address.is_global and not odd
    return (
        address.scope_id is None
        and address in _GLOBAL_V6
        and address.is_global
        and not any(address in network for network in _ODD_V6)
    )
