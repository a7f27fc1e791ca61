"""HTML descriptions as plain text: what a shop's export holds is not markup that our pages could trust."""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    {
        *("address", "article", "blockquote", "div", "dl", "dt", "dd", "figure", "hr", "ol", "p", "pre", "table", "tr"),
        *("ul", "h1", "h2", "h3", "h4", "h5", "h6"),
    }
)
_SILENT = frozenset({"script", "style", "template", "iframe", "object", "noscript", "svg", "head"})

#: Comments, and the sections that word processors leave (``<![if !supportLists]>``), at which Python's parser gives up.
_NO_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|<!\[[^>]*(?:>|\Z)", re.DOTALL)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - given by the base
        if tag in _SILENT:
            self.silent.append(tag)
        elif tag in _BLOCKS:
            self.parts.append("\n\n")
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def html_to_text(html: str) -> str:
    """The text of an HTML fragment: paragraphs apart by an empty line, list items by ``- ``, entities resolved.

    Scripts, styles and embedded objects leave nothing. Text without markup keeps its lines.
    """
    text = html
    if "<" in html or "&" in html:
        parser = _Text()
        parser.feed(_NO_TEXT.sub("", html))
        parser.close()
        text = "".join(parser.parts)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
