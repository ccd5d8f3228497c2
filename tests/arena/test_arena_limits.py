"""How often who may ask, and who is who."""

from __future__ import annotations

from howgood.arena.limits import MOST_KEYS, Gate, Limits, Window
from howgood.web.visitors import Visitors


def test_a_window_slides() -> None:
    window = Window(2, 60)
    for now in (0.0, 10.0):
        assert window.wait("x", now) == 0
        window.note("x", now)
    assert window.wait("x", 15.0) == 45
    assert window.wait("y", 15.0) == 0
    assert window.wait("x", 60.0) == 0


def test_a_window_forgets_those_who_were_quiet_longest() -> None:
    window = Window(1, 1e9)
    for place in range(MOST_KEYS + 5):
        window.note(str(place), 0.0)
    assert window.wait("4", 1.0) == 0
    assert window.wait("5", 1.0) > 0


def test_a_gate_counts_what_is_under_way() -> None:
    gate = Gate(Limits(at_once=1, all_at_once=2))
    assert gate.refusal("v", "x") == ""
    gate.enter("v", "x")
    assert "still being written" in gate.refusal("w", "x")
    gate.enter("w", "y")
    assert "busy" in gate.refusal("u", "z")
    gate.leave("x")
    assert gate.refusal("v", "x") == ""


def test_cookies_are_only_ours() -> None:
    one = Visitors(b"secret", None)
    visitor = one.new()
    assert one.read(visitor.cookie) == visitor
    nonce, entered, mac = visitor.cookie.split(".")
    for forged in (None, "", "x", f"{nonce}.1.{mac}", f"{nonce}x.{entered}.{mac}", f"{nonce}.{entered}.ü", "." * 500):
        assert one.read(forged) is None
    assert Visitors(b"other", None).read(visitor.cookie) is None
    guarded = Visitors(b"secret", "a token of some length")
    assert guarded.read(visitor.cookie) is None
    fresh = guarded.new()
    assert not guarded.admits(fresh)
    inside = guarded.entered(fresh)
    assert guarded.admits(inside)
    assert inside.id == fresh.id
    assert guarded.read(inside.cookie) == inside
    assert guarded.knows("a token of some length")
    assert not guarded.knows("")
    assert not one.knows("")


def test_an_address_is_a_digest_and_a_network_one_household() -> None:
    visitors = Visitors(b"secret", None)
    assert visitors.address("2001:db8::1") == visitors.address("2001:db8::ffff:2") != visitors.address("2001:db8:1::1")
    assert visitors.address("10.0.0.1") != visitors.address("10.0.0.2")
    assert visitors.address("10.0.0.1") != Visitors(b"other", None).address("10.0.0.1")
    assert len(visitors.address("no address at all")) == 16
