"""How elements are written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.elements import Element, Kind
from catalog.errors import ElementSyntaxError

IDENTIFIER = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)


@given(st.sampled_from(Kind), IDENTIFIER, IDENTIFIER, IDENTIFIER)
def test_every_element_reads_back_as_written(kind: Kind, schema: str, table: str, name: str) -> None:
    element = Element(kind, schema, name, table if kind.has_parent else None)
    assert Element.parse(str(element)) == element


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("table:public.users_old", Element(Kind.TABLE, "public", "users_old")),
        ("TABLE:Public.Users_Old", Element(Kind.TABLE, "public", "users_old")),
        ('table:public."Users.Old"', Element(Kind.TABLE, "public", "Users.Old")),
        ('table:public."say ""hi"""', Element(Kind.TABLE, "public", 'say "hi"')),
        ("column:app.orders.legacy_status", Element(Kind.COLUMN, "app", "legacy_status", "orders")),
        ("constraint:app.orders.total_check", Element(Kind.CONSTRAINT, "app", "total_check", "orders")),
        ("index:app.größe_idx", Element(Kind.INDEX, "app", "größe_idx")),
        ("enum:public.order_status", Element(Kind.ENUM, "public", "order_status")),
        ('enum_value:public.order_status."Off"', Element(Kind.ENUM_VALUE, "public", "Off", "order_status")),
        ("view:public.active", Element(Kind.VIEW, "public", "active")),
        ("matview:public.totals", Element(Kind.MATVIEW, "public", "totals")),
        ("sequence:public.numbers", Element(Kind.SEQUENCE, "public", "numbers")),
    ],
)
def test_texts_that_name_an_element(text: str, element: Element) -> None:
    assert Element.parse(text) == element


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("users_old", "no kind before a colon"),
        ("tabel:public.users_old", "unknown kind 'tabel'"),
        ("table:users_old", "1 part where table has 2"),
        ("column:public.orders", "2 parts where column has 3"),
        ("table:public.users old", "expected a dot at character 13"),
        ("table:public.", "not an identifier at character 8"),
        ('table:public."users', "not an identifier at character 8"),
        ("table:public.1st", "not an identifier at character 8"),
        ("", "no kind before a colon"),
    ],
)
def test_texts_that_name_none_say_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ElementSyntaxError, match=said):
        Element.parse(text)
