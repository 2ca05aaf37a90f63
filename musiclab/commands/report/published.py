"""Published figures on the lab's data set, as they were published: with which team each is from."""

from typing import NamedTuple

TEAMS = {
    "A": "a report on the lab",
    "B": "another report on the lab",
    "C": "the public repository mpektkd/Pattern-Recognition-Techniques",
    "best other": "the best of the other public solutions",
}

GENRE_DATA = (
    "Published, on the lab's genre data set: 10 genres after merging, 2305 training tracks; scores on its 575 test "
    "tracks."
)
EMOTION_DATA = (
    "Published, on the lab's emotion data set: Spearman's correlation on a held-out part of its 1122 labelled tracks."
)
KAGGLE_DATA = (
    "Published, on the 375 unlabelled tracks of the course's Kaggle competition: scores on its public leaderboard."
)


SCORES = ("accuracy", "macro F1", "valence", "energy", "danceability", "mean", "leaderboard")
"""All scores, in the order of the columns of a table."""


class Figure(NamedTuple):
    """What one team published of one model.

    Attributes:
        model: Model and input.
        team: One of :data:`TEAMS`.
        scores: The digits as published, by the name of the score.
        note: What else is known.
    """

    model: str
    team: str
    scores: dict[str, str]
    note: str = ""


def _genre(model: str, team: str, accuracy: str, f1: str, note: str = "") -> Figure:
    scores = {"accuracy": accuracy, "macro F1": f1}
    return Figure(model, team, {name: score for name, score in scores.items() if score}, note)


def _emotion(model: str, team: str, valence: str, energy: str, danceability: str, mean: str) -> Figure:
    scores = {"valence": valence, "energy": energy, "danceability": danceability, "mean": mean}
    return Figure(model, team, {name: score for name, score in scores.items() if score})


LSTM = [
    _genre("LSTM, mel", "A", "0.31", "0.19"),
    _genre("LSTM, mel", "B", "0.35", "0.22"),
    _genre("LSTM, mel", "best other", "0.36", "0.28"),
    _genre("LSTM, beat-synced mel", "A", "0.37", "0.27"),
    _genre("LSTM, beat-synced mel", "B", "0.36", "0.22"),
    _genre("LSTM, beat-synced mel", "best other", "0.40", "0.28"),
    _genre("LSTM, chroma", "A", "0.20", "0.08"),
    _genre("LSTM, chroma", "B", "0.19", "0.08"),
    _genre("LSTM, chroma", "best other", "0.23", "0.11"),
    _genre("LSTM, fused mel + chroma", "A", "0.34", "0.21"),
    _genre("LSTM, fused mel + chroma", "B", "0.33", "0.21"),
    _genre("LSTM, fused mel + chroma", "C", "0.29", "0.15", "beat-synced"),
    _genre("LSTM, fused mel + chroma", "best other", "0.40", "0.34", "beat-synced"),
]

CNN = [
    _genre("2D CNN, mel", "A", "0.47", "0.45"),
    _genre("2D CNN, mel", "B", "0.46", "0.41"),
    _genre("2D CNN, mel", "C", "0.35", "0.26", "beat-synced, fused"),
    _genre("2D CNN, mel", "best other", "0.466", "0.41"),
    _genre("AST (ImageNet weights), mel", "best other", "0.464", ""),
    _genre("AST (ImageNet weights), mel", "best other", "0.38", "0.36", "another solution"),
]

CNN_F1_TEAM = "A"
CNN_F1 = {
    "Blues": ("0.31", 40),
    "Classical": ("0.67", 40),
    "Electronic": ("0.61", 80),
    "Folk": ("0.39", 80),
    "Hip-Hop": ("0.67", 40),
    "Jazz": ("0.40", 40),
    "Metal": ("0.56", 78),
    "Pop": ("0.09", 40),
    "Rock": ("0.45", 103),
    "Trip-Hop": ("0.31", 34),
}
"""F1 of team A's CNN for each genre, and the genre's number of test tracks."""

SINGLE = [
    _emotion("single-task LSTM", "A", "0.422", "0.715", "0.604", "0.580"),
    _emotion("single-task LSTM", "B", "0.124", "0.258", "0.172", "0.185"),
    _emotion("single-task LSTM", "best other", "", "", "", "0.48"),
    _emotion("single-task CNN", "A", "0.569", "0.757", "0.621", "0.649"),
    _emotion("single-task CNN", "B", "-0.154", "-0.276", "0.125", "-0.102"),
    _emotion("single-task CNN", "best other", "0.659", "0.763", "0.678", "0.700"),
]

TRANSFER = [
    _emotion("transfer from the genre CNN", "A", "", "0.702", "", ""),
    _emotion("transfer from the genre CNN", "B", "0.022", "", "", ""),
    _emotion("transfer from the genre CNN", "best other", "0.649", "0.807", "0.747", "0.734"),
]

MULTITASK = [
    _emotion("multitask CNN", "A", "0.619", "0.766", "0.759", "0.7145"),
    _emotion("multitask CNN", "B", "0.358", "0.512", "0.413", "0.428"),
    _emotion("multitask CNN", "best other", "0.668", "0.794", "0.768", "0.744"),
]

KAGGLE = [
    Figure("multitask", "A", {"leaderboard": "0.74187"}),
    Figure("multitask", "best other", {"leaderboard": "0.71990"}),
]

LSTM_RECIPES = (
    "A: 2 layers of 128, Adam 1e-4, weight decay 1e-3, dropout 0.4, batches of 32, 40 epochs, best validation loss. "
    "B: Adam 1e-5, weight decay 1e-6, dropout 0.4, patience 3, 100 epochs."
)
CNN_RECIPES = (
    "A: four blocks of 3x3 convolution, batch norm, ReLU and max pooling; 32, 64, 128 and 256 maps; pools of 2, 2, 4 "
    "and 4; flattened into one linear layer; Adam 1e-3, weight decay 1e-4."
)
MULTITASK_RECIPES = (
    "A: the same CNN as for genres, sum of three mean squared errors, 50 epochs. C (no figure): MSE - 0.1 x soft "
    "Spearman, each loss x exp(-param) + param, with param starting at 0."
)
