"""Which addresses an event may go to: those of the public internet. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")
# All of IPv6 that is given out to the internet.
_GLOBAL_UNICAST = ip_network("2000::/3")

# Set aside for protocols: 192.0.0.192 is a cloud's metadata, and Pythons differ on the rest.
_SET_ASIDE = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))
# Global by the registries, and yet answered by the machine's own cloud: Azure's host agent.
_OF_THE_PLATFORM = frozenset({IPv4Address("168.63.129.16")})


def is_public(text: str) -> bool:
    """Whether an address, as a socket names it, is one of the public internet.

    Not: private, loopback, link-local (where clouds keep their metadata), shared, multicast,
    unspecified and reserved ones, nor IPv6 addresses that lead to one of those.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    if address.ipv4_mapped is not None:
        return _is_public_v4(address.ipv4_mapped)
    if address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_UNICAST and _is_global(address) and not _is_tunnel(address)


def _is_public_v4(address: IPv4Address) -> bool:
    is_set_aside = any(address in network for network in _SET_ASIDE)
    return _is_global(address) and not is_set_aside and address not in _OF_THE_PLATFORM


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    # Some Pythons call some multicast and reserved addresses global.
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _is_tunnel(address: IPv6Address) -> bool:
    """Whether it leads to an IPv4 address by 6to4, Teredo or ISATAP; no receiver needs them."""
    is_old = address.sixtofour is not None or address.teredo is not None
    return is_old or (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE
