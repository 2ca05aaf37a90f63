"""Pages as a real browser lays them out."""

import json
import re
import shutil
import subprocess
from html import unescape

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WRAPPER = """<iframe id="page" src="{page}" style="width:{width}px;height:2000px;border:0"></iframe>
<pre id="found"></pre>
<script>
page.onload = () => {{
  const inside = page.contentDocument;
  const pictures = [...inside.images].map(image => ({{
    width: image.getBoundingClientRect().width, drawn: image.complete && image.naturalWidth > 0,
    scale: image.getBoundingClientRect().width / image.naturalWidth,
    right: image.getBoundingClientRect().right}}));
  const texts = [...inside.querySelectorAll("p, h1, h2, h3, figcaption, summary")]
    .filter(element => element.checkVisibility()).map(element => element.getBoundingClientRect().right);
  found.textContent = JSON.stringify({{
    width: inside.documentElement.clientWidth, needed: inside.documentElement.scrollWidth, pictures, texts}});
}};
</script>
"""


def lay_out(page, width, folder):
    """Return the width of a page in Chromium, what it needs, and where its pictures and texts end; in pixels."""
    wrapper = folder / f"wrapper_{width}.html"
    wrapper.write_text(WRAPPER.format(page=page.as_uri(), width=width), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--allow-file-access-from-files", "--virtual-time-budget=20000"]
    command = [CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", wrapper.as_uri()]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', output, re.DOTALL).group(1)))
