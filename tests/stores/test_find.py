"""What a selector matches by .NET's rules, and which certificate is meant."""

from __future__ import annotations

import datetime as dt

import pytest

from azcert.errors import SelectionError
from azcert.stores.find import choose, find, only
from azcert.stores.names import Selector
from support.stored import MY, NOW, SHARED, entry_of, make

DAY = dt.timedelta(days=1)


def matches(name: str, **selector: str) -> bool:
    return bool(find([entry_of(make(name, serial=0x1A2B))], Selector(**selector)))


@pytest.mark.parametrize(
    ("subject", "wanted", "found"),
    [
        ("CN=mytest.contoso.com", "test", True),
        ("CN=mytest.contoso.com", "TEST.Contoso", True),
        ("CN=app,O=Contoso Ltd", "contoso", True),
        ("CN=app,O=Contoso", "Contoso, app", True),  # values in encoding order, joined as .NET joins them
        ("CN=app,O=Contoso", "CN=app", False),  # with labels, only the whole name counts
        ("CN=app,O=Contoso", "CN=app, O=Contoso", True),
        ("CN=app,O=Contoso", "cn=APP,o=contoso", True),
        ("CN=app,O=Contoso", "O=Contoso, CN=app", False),
        (r"CN=app,O=Contoso\, Ltd", 'CN=app, O="Contoso, Ltd"', True),
        ("CN=app,ST=Bayern", "CN=app, S=Bayern", True),
        (r"CN=a\=b", "a=b", True),  # reads like a name, is none: a part of the value after all
        ("CN=app", "application", False),
    ],
)
def test_subject_is_a_substring_of_values_or_the_whole_name(
    subject: str, wanted: str, *, found: bool
) -> None:
    assert matches(subject, subject=wanted) is found


@pytest.mark.parametrize(
    ("serial", "found"), [("1A2B", True), ("001A2B", True), ("6699", True), ("1A2C", False)]
)
def test_serial_is_hexadecimal_or_decimal(serial: str, *, found: bool) -> None:
    assert matches("CN=app", serial=serial) is found


def test_thumbprints_are_exact_in_both_lengths() -> None:
    entry = entry_of(make())
    assert find([entry], Selector(thumbprint=entry.thumbprint)) == [entry]
    assert find([entry], Selector(thumbprint=entry.thumbprint_sha256)) == [entry]
    assert find([entry], Selector(thumbprint=entry.thumbprint[:-1] + "G")) == []


def test_all_parts_of_a_selector_must_match() -> None:
    entry = entry_of(make("CN=app", issuer="CN=Contoso CA"))
    assert find([entry], Selector(subject="app", issuer="contoso")) == [entry]
    assert find([entry], Selector(subject="app", issuer="fabrikam")) == []


def test_a_subject_follows_the_newest_valid_certificate_with_a_key() -> None:
    old = entry_of(make(start=NOW - 20 * DAY))
    new = entry_of(make(start=NOW - 2 * DAY))
    future = entry_of(make(start=NOW + DAY))
    expired = entry_of(make(start=NOW - 60 * DAY))
    keyless = entry_of(make(start=NOW - DAY), has_key=False)
    entries = [old, new, future, expired, keyless]
    chosen = choose(entries, Selector(subject="app"), now=NOW, where="store")
    assert chosen == new
    assert choose(entries, Selector(subject="app"), now=NOW, where="store", skip={new.thumbprint}) == old
    assert choose(entries, Selector(subject="app"), now=NOW + 2 * DAY, where="store") == future


def test_a_thumbprint_names_a_certificate_even_when_it_has_expired() -> None:
    expired = entry_of(make(start=NOW - 60 * DAY))
    assert choose([expired], Selector(thumbprint=expired.thumbprint), now=NOW, where="store") == expired


def test_a_whole_value_is_preferred_to_a_part_of_another() -> None:
    app = entry_of(make("CN=app", start=NOW - 9 * DAY))
    other = entry_of(make("CN=app-test", start=NOW - DAY))
    assert choose([app, other], Selector(subject="app"), now=NOW, where="store") == app


def test_certificates_of_different_subjects_are_ambiguous_and_listed() -> None:
    one, two = entry_of(make("CN=app-one")), entry_of(make("CN=app-two"))
    with pytest.raises(SelectionError) as caught:
        choose([one, two], Selector(subject="app"), now=NOW, where="store")
    assert caught.value.code == "ambiguous"
    assert caught.value.details["thumbprints"] == [one.thumbprint, two.thumbprint]
    assert one.thumbprint in str(caught.value)


def test_one_serial_of_two_issuers_is_ambiguous() -> None:
    one = entry_of(make(issuer="CN=one", serial=5))
    two = entry_of(make(issuer="CN=two", serial=5))
    with pytest.raises(SelectionError, match="2 different certificates"):
        choose([one, two], Selector(serial="05"), now=NOW, where="store")


def test_nothing_found_names_the_store_and_near_misses() -> None:
    entry = entry_of(make())
    typo = ("0" if entry.thumbprint[7] != "0" else "1").join((entry.thumbprint[:7], entry.thumbprint[8:]))
    with pytest.raises(SelectionError, match="Nearest are") as caught:
        choose([entry], Selector(thumbprint=typo), now=NOW, where="the store")
    assert caught.value.code == "not-found"
    assert entry.thumbprint in str(caught.value)
    assert "the store" in str(caught.value)


def test_nothing_found_says_where_else_it_is() -> None:
    elsewhere = entry_of(make(), SHARED)
    with pytest.raises(SelectionError, match="LocalMachine/My") as caught:
        choose([], Selector(subject="app"), now=NOW, where="store", elsewhere=[elsewhere])
    assert caught.value.details["elsewhere"] == [f"LocalMachine/My/{elsewhere.thumbprint}"]


def test_part_of_a_name_with_labels_is_explained() -> None:
    entry = entry_of(make("CN=app,O=Contoso"))
    with pytest.raises(SelectionError, match="write subject=app"):
        choose([entry], Selector(subject="CN=app"), now=NOW, where="store")


def test_expired_ones_are_named_where_none_is_valid() -> None:
    entry = entry_of(make(start=NOW - 60 * DAY))
    with pytest.raises(SelectionError, match="has expired") as caught:
        choose([entry], Selector(subject="app"), now=NOW, where="store")
    assert caught.value.details["thumbprints"] == [entry.thumbprint]


def test_a_certificate_without_key_has_a_message_of_its_own() -> None:
    entry = entry_of(make(), has_key=False)
    for selector in (Selector(subject="app"), Selector(thumbprint=entry.thumbprint)):
        with pytest.raises(SelectionError) as caught:
            choose([entry], selector, now=NOW, where="store")
        assert caught.value.code == "no-private-key"


def test_what_was_rejected_is_not_offered_again() -> None:
    entry = entry_of(make())
    with pytest.raises(SelectionError, match="already rejected"):
        choose([entry], Selector(subject="app"), now=NOW, where="store", skip={entry.thumbprint})


def test_commands_that_change_something_want_exactly_one() -> None:
    old, new = entry_of(make(start=NOW - 20 * DAY)), entry_of(make(start=NOW - 2 * DAY))
    with pytest.raises(SelectionError) as caught:
        only([old, new], Selector(subject="app"), where="store")
    assert caught.value.code == "ambiguous"
    assert only([old, new], Selector(thumbprint=old.thumbprint), where="store") == old


def test_store_names_are_compared_without_case() -> None:
    assert type(MY)(MY.location, "mY") == MY
