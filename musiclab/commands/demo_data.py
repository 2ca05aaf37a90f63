"""``musiclab demo-data``: the demo corpus in a folder of one's own."""

from typing import Any

from musiclab.data.audio.label_files import EMOTION_FOLDER, GENRE_FOLDER
from musiclab.data.audio.output import BEAT_SUFFIX
from musiclab.demo.corpus import make_corpus


def demo_data(out: str, **kwargs: Any) -> None:
    """Make a demo corpus of synthesised music, laid out as the lab's data set.

    Takes one to two minutes on two cores with the default sizes.

    Args:
        out: Folder to make.
        kwargs: See :func:`musiclab.demo.corpus.make_corpus`.
    """
    folder = make_corpus(out, **kwargs)
    print(
        f"The demo corpus is in {folder}: genres in {GENRE_FOLDER}, emotions in {EMOTION_FOLDER}, and the "
        f"same tracks beat-synchronised in the folders that end in {BEAT_SUFFIX}. To train on it:\n"
        f"musiclab fit -c configs/genre_cnn.yaml --data.root {folder / GENRE_FOLDER}"
    )
