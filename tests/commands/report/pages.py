"""Reading html pages back."""

import json
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link"}


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


def browser():
    """Return the command of an installed Chromium, None if there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def look(page, width):
    """Open a page in Chromium in a frame ``width`` pixels wide.

    Returns:
        ``client`` and ``scroll`` width of the page, equal where it does not scroll sideways; ``images``: for each
        picture the width that it was drawn for, 0 if it was not loaded, and the width it is shown at.
    """
    frame = page.with_name(f"frame_{width}.html")
    frame.write_text(
        f'<iframe id="frame" src="{page.name}" style="width: {width}px; height: 800px; border: 0"></iframe>'
        '<pre id="found"></pre><script>window.onload = () => { const page = frame.contentDocument;'
        "found.textContent = JSON.stringify({client: page.documentElement.clientWidth,"
        "scroll: page.documentElement.scrollWidth,"
        "images: [...page.images].map(image => "
        "[image.naturalWidth && +image.getAttribute('width'), image.clientWidth])}) }</script>"
    )
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    with tempfile.TemporaryDirectory() as profile:
        command += [f"--user-data-dir={profile}", frame.as_uri()]
        seen = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return json.loads(Outline(seen).texts["pre"][0])
