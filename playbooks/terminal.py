"""What comes from outside, as it may be printed: a terminal obeys what it can't show."""

from responders.pages.markup import visible


def shown(text: str) -> str:
    """The text as one line in which all can be seen: no escape sequence, no line of its own making."""
    return visible(text).replace("\n", "⟨U+000A⟩").replace("\t", "⟨U+0009⟩")
