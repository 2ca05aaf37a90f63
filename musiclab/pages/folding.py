"""Parts of a document that hold others: such that open at a click, and such that stand side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from musiclab.pages.document import Block, Picture


@dataclass(frozen=True)
class Details:
    """Blocks below a line that shows and hides them; in Markdown they are simply there.

    Attributes:
        summary: The line.
        blocks: What it shows and hides.
        opened: Whether they are shown at first.
    """

    summary: str
    blocks: Sequence[Block]
    opened: bool = False

    @property
    def pictures(self) -> list[Picture]:
        """All pictures among the blocks."""
        return _pictures(self.blocks)

    def to_html(self, embed: bool) -> str:
        """Return the blocks in an element that browsers fold without any script."""
        content = "\n".join(block.to_html(embed) for block in self.blocks)
        opened = " open" if self.opened else ""
        return f"<details{opened}><summary>{escape(self.summary)}</summary>\n{content}\n</details>"

    def to_markdown(self) -> str:
        """Return the blocks one below the other."""
        return "\n\n".join(block.to_markdown() for block in self.blocks)


@dataclass(frozen=True)
class SideBySide:
    """Columns of blocks, side by side if the page is wide enough for them, else one below the other."""

    columns: Sequence[Sequence[Block]]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures among the blocks."""
        return [picture for column in self.columns for picture in _pictures(column)]

    def to_html(self, embed: bool) -> str:
        """Return the columns in a row that wraps."""
        parts = ("\n".join(block.to_html(embed) for block in column) for column in self.columns)
        columns = "\n".join(f'<div class="column">\n{part}\n</div>' for part in parts)
        return f'<div class="pictures">\n{columns}\n</div>'

    def to_markdown(self) -> str:
        """Return the columns one below the other."""
        return "\n\n".join(block.to_markdown() for column in self.columns for block in column)


def _pictures(blocks: Sequence[Block]) -> list[Picture]:
    return [picture for block in blocks for picture in getattr(block, "pictures", [])]
