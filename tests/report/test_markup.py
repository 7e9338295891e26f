"""Nothing but what this module built becomes a tag."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chainrule.markup import Markup, element, joined

from .conftest import Page


def test_elements() -> None:
    assert element("p", "a < b", class_="note") == '<p class="note">a &lt; b</p>'
    assert element("p", element("b", 1), None, aria_label=None) == "<p><b>1</b></p>"
    assert element("meta", name="x", content='"') == '<meta name="x" content="&quot;">'
    assert joined("a", element("br"), "<", between=", ") == "a, <br>, &lt;"
    assert isinstance(element("p"), Markup)


@given(st.text(), st.text())
def test_any_text_stays_text(content: str, value: str) -> None:
    page = Page(element("p", content, title=value))
    assert [tag for tag, _ in page.found] == ["p"]
    plain = str.maketrans({"\r": "\n"})
    if all(ord(c) > 159 or 31 < ord(c) < 127 for c in content + value):
        assert page.text().translate(plain) == content
        assert page.all("p") == [{"title": value}]


def test_what_html_forbids_is_replaced() -> None:
    assert element("p", "a\x00b\ud800\x1b") == "<p>a\ufffdb\ufffd\ufffd</p>"
