"""Data sets that give their validation and test parts, from the command line."""

import json

import pytest
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from conftest import give_test, give_validation, make_emotion_folder, make_genre_folder

from musiclab.cli import main

AXES = ["valence", "energy", "danceability"]


@pytest.fixture
def genres(tmp_path):
    return give_validation(make_genre_folder(tmp_path / "genres"), 12)


@pytest.fixture
def emotions(tmp_path):
    return give_validation(give_test(make_emotion_folder(tmp_path / "emotions", test=2), 8), 10)


def test_genres_are_validated_on_the_tracks_given(genres, tmp_path, capfd, caplog):
    main(fit_args("genre_cnn.yaml", genres, tmp_path / "runs"))
    path = genres / "validation_labels.txt"
    assert caplog.text.count(f"Validation: the 12 tracks of {path}, instead of val_fraction") == 1
    main(evaluate_args("validate", run_folder(tmp_path / "runs") / "checkpoints" / "best.ckpt", tmp_path / "again"))
    with path.open("a") as labels:
        labels.write("100\tRock\n")
    error = error_of(capfd, fit_args("genre_cnn.yaml", genres, tmp_path / "runs"))
    assert f"{path}: track 100 stands in train_labels.txt too; remove it from one of them" in error


def test_a_validation_on_the_training_part_says_what_was_trained_on(genres, tmp_path, caplog):
    """Before, tracks that a `train_limit` had kept out of the training were taken for its own without a word."""
    main(fit_args("genre_cnn.yaml", genres, tmp_path / "runs", "--data.train_limit=6"))
    checkpoint = run_folder(tmp_path / "runs") / "checkpoints" / "best.ckpt"
    for more, tracks in (([], 6), (["--data.train_limit=null"], 24)):
        caplog.clear()
        main([*evaluate_args("validate", checkpoint, tmp_path / "again"), "--data.validate_on=train", *more])
        assert f"Validation: {tracks} tracks of train/; of these, the checkpoint was trained on: 6" in caplog.text


def test_emotions_are_tested_on_the_tracks_given_and_predictions_show_their_truth(emotions, tmp_path):
    main(fit_args("emotion_multitask.yaml", emotions, tmp_path))
    run = run_folder(tmp_path)
    assert set(json.loads((run / "test_metrics.json").read_text())) >= {"test_spearman", "test_mse"}
    tested = {row["id"]: row for row in read_rows(run / "predictions.csv")}
    assert set(tested) == {str(number) for number in range(132, 140)}
    main(evaluate_args("predict", run / "checkpoints" / "best.ckpt", tmp_path / "predicted"))
    predicted = read_rows(run_folder(tmp_path / "predicted") / "predictions.csv")
    assert len(predicted) == 10
    for row in predicted:
        for axis in AXES:
            known = tested.get(row["id"], {f"truth_{axis}": ""})
            assert row[f"truth_{axis}"] == known[f"truth_{axis}"]
    assert len((run_folder(tmp_path / "predicted") / "solution.txt").read_text().splitlines()) == 11
