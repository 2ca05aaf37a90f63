"""Reading html pages back."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """The elements and texts of a page, each element of which has to be closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(page)
        self.close()
        assert not self.open

    def all(self, name):
        """Return the attributes of each element of a name."""
        return [attributes for tag, attributes in self.elements if tag == name]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())


class Tables(HTMLParser):
    """The tables of a page: for each the heading above it, its header and its rows; empty cells too."""

    def __init__(self, page):
        super().__init__()
        self.all, self._heading, self._text = [], "", None
        self.feed(page)
        self.close()

    def below(self, heading):
        """Return the tables, as pairs of header and rows, that stand below a heading and above the next."""
        return [(header, rows) for title, header, rows in self.all if title == heading]

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.all.append((self._heading, [], []))
        elif tag == "tr" and self.all[-1][1]:
            self.all[-1][2].append([])
        elif tag in ("th", "td", "h2", "h3"):
            self._text = ""

    def handle_endtag(self, tag):
        if tag in ("h2", "h3"):
            self._heading = self._text
        elif tag == "th":
            self.all[-1][1].append(self._text)
        elif tag == "td":
            self.all[-1][2][-1].append(self._text)

    def handle_data(self, data):
        if self._text is not None:
            self._text += data
