"""Who made which track."""

import pytest

from musiclab.data.artists import Artists, read_artists
from musiclab.errors import UserError


def test_artists_are_read_by_id(tmp_path):
    assert read_artists(tmp_path) == {}
    (tmp_path / "artists.txt").write_text('Id\tArtist\n1\tCan\n2.fused.full.npy\t"Neu!"\n3\tCan\n')
    assert read_artists(tmp_path) == {"1": "Can", "2": "Neu!", "3": "Can"}


def test_tracks_without_an_artist_stand_alone(tmp_path):
    artists = Artists(tmp_path / "artists.txt", {"1": "Can", "3": "Can", "Neu!": "x", "4": "Neu!"})
    assert artists.numbers(["2", "3", "1", "4", "Can", "5"]).tolist() == [0, 1, 1, 2, 3, 4]
    assert artists.known(["1", "2", "3"]) == {"Can"}
    assert artists.shared(["3", "4", "5"], ["1", "2", "5"]) == ["3"]
    assert artists.describe_part(["1", "2"], ["1", "2", "3", "4", "5"]) == (
        "2 of 5 tracks by 1 of 2 artists, and 1 of 2 without an artist (artists.txt)"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Id\tArtist\n1\tCan\n1.npy\tNeu!\n", "id 1 stands there 2 times"),
        ("Track\tArtist\n1\tCan\n", r"the header is 'Track \| Artist'; expected 'Id<TAB>Artist'"),
        ("Id\tGenre\n1\tCan\n", "the header is"),
        ("Id\tArtist\n1\tCan\n2\t\n", "track 2 has no artist"),
        ("Id\tArtist\n1\n", "line 2 has 1 fields"),
        ("", "empty"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content, message, tmp_path):
    (tmp_path / "artists.txt").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_artists(tmp_path)
    assert str(error.value).startswith(str(tmp_path / "artists.txt"))
    assert "check" not in str(error.value)
