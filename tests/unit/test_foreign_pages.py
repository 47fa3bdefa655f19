"""What other people's web pages may make a browser send."""

import pytest

from api.foreign_pages import refuse_foreign_pages
from api.incoming import Incoming
from common.errors import PermissionDenied
from common.settings import Settings

OWN = {"host": "127.0.0.1:8080"}


def is_refused(headers, **settings):
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    try:
        refuse_foreign_pages(Incoming(environ), Settings(**settings))
    except PermissionDenied:
        return True
    return False


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "127.0.0.1",
        "[::1]:8080",
        "localhost:8080",
        "LocalHost",
        "muninn.localhost:8080",
        "muninn:8080",
        "192.168.1.5:8080",
        "",
    ],
)
def test_on_loopback_it_is_called_by_names_that_nobody_else_can_point_here(host):
    assert not is_refused({"host": host})
    assert not is_refused({"host": host}, host="::1")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "127.0.0.1,evil.example",
        "127.0.0.1:8080,evil.example:8080",
        "evil.example/127.0.0.1",
        "[::1",
        "0x7f.1",
    ],
)
def test_any_other_name_may_be_one_that_was_pointed_here(host):
    assert is_refused({"host": host})
    assert is_refused({"host": host}, host="localhost")
    assert not is_refused({"host": host}, host="0.0.0.0"), "there names are the operator's affair"


def test_names_can_be_allowed():
    allowed = {"allowed_hosts": "one.example, Two.example"}
    assert not is_refused({"host": "one.example"}, **allowed)
    assert not is_refused({"host": "two.example:443"}, **allowed)
    assert is_refused({"host": "three.example"}, **allowed)
    assert not is_refused({"host": "three.example"}, allowed_hosts="*")


def test_names_that_are_set_hold_on_every_address():
    named = {"host": "0.0.0.0", "allowed_hosts": "one.example"}
    assert not is_refused({"host": "one.example"}, **named)
    assert not is_refused({"host": "10.0.0.7:8080"}, **named)
    assert is_refused({"host": "evil.example", "origin": "http://evil.example"}, **named)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd", ""])
def test_a_browser_that_says_the_page_is_another_sites_is_believed(site):
    assert is_refused({**OWN, "sec-fetch-site": site})
    assert is_refused({**OWN, "sec-fetch-site": site, "origin": "http://127.0.0.1:8080"})
    assert is_refused({"host": "muninn.lan", "sec-fetch-site": site}, host="0.0.0.0")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_its_own_pages_and_what_people_type_are_served(site):
    assert not is_refused({**OWN, "sec-fetch-site": site})
    assert not is_refused({**OWN, "sec-fetch-site": site, "origin": "https://behind.a.proxy"})


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:3000", "http://127.0.0.1", "127.0.0.1:8080"],
)
def test_without_that_word_the_origin_must_be_the_host(origin):
    assert is_refused({**OWN, "origin": origin})
    assert not is_refused({**OWN, "origin": "http://127.0.0.1:8080"})


def test_programs_send_neither_and_are_served():
    assert not is_refused(OWN)
    assert not is_refused({})
