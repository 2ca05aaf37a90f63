"""``musiclab demo-data``: the demo corpus in a folder of one's own."""

from typing import Any

from musiclab.data.audio.label_files import EMOTION_FOLDER, GENRE_FOLDER
from musiclab.data.audio.output import BEAT_SUFFIX
from musiclab.demo.corpus import SONG_FOLDER, make_corpus


def demo_data(out: str, **kwargs: Any) -> None:
    """Make a demo corpus of synthesised music, laid out as the lab's data set.

    Takes a minute on two cores with the default sizes, and half a minute more where librosa is compiled first.

    Args:
        out: Folder to make.
        kwargs: See :func:`musiclab.demo.corpus.make_corpus`.
    """
    folder = make_corpus(out, **kwargs)
    print(f"The demo corpus is in {folder}: genres in {GENRE_FOLDER}, emotions in {EMOTION_FOLDER},")
    if kwargs.get("beats", True):
        print(f"the same tracks beat-synchronised in the folders that end in {BEAT_SUFFIX},")
    print(
        f"songs to ask a model about in {SONG_FOLDER}. To train on it:\n"
        f"musiclab fit -c genre_cnn.yaml --data.root {folder / GENRE_FOLDER}"
    )
