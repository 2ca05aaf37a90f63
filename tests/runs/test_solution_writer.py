"""The solution file that a prediction leaves: complete and exact, or not there."""

from types import SimpleNamespace
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch

from musiclab.data.datamodules import EmotionDataModule, FolderDataModule
from musiclab.errors import UserError
from musiclab.models import CNN
from musiclab.runs.solution_writer import SolutionWriter
from musiclab.tasks import RegressionTask
from runs.made_runs import GENRES, make_trainer, read_table, run_stage

IDS = ["30", "b7", "9"]
SHUFFLED = ["danceability", "arousal", "valence", "energy"]
VALUES = torch.tensor([[0.1, 9.0, 0.2, 0.3], [0.4, 9.0, 0.5, 0.6], [0.7, 9.0, 0.8, 1.25]])


def predict(folder, axes, values, tracks=IDS, **options):
    """What the folder holds after a prediction of the tracks ``IDS``, where ``tracks`` are to be predicted."""
    datamodule = create_autospec(FolderDataModule, instance=True)
    datamodule.predict_part.return_value.ids = tracks
    rows = (IDS, torch.full_like(values, torch.nan), values)
    model = SimpleNamespace(target_names=axes)
    run_stage(SolutionWriter(**options), "predict", folder, rows, model, datamodule=datamodule)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_axes_of_another_order_are_put_into_that_of_the_header(tmp_path, capsys):
    assert predict(tmp_path, SHUFFLED, VALUES) == {
        "solution.txt": "Id.fused.full.npy.gz,valence,energy,danceability\n"
        "9.fused.full.npy.gz,0.800000,1.250000,0.700000\n"
        "30.fused.full.npy.gz,0.200000,0.300000,0.100000\n"
        "b7.fused.full.npy.gz,0.500000,0.600000,0.400000\n"
    }
    assert capsys.readouterr().out == f"Solution for 3 tracks: {tmp_path / 'solution.txt'}\n"


def test_header_and_suffix_can_be_others(tmp_path):
    assert predict(tmp_path, SHUFFLED, VALUES, header="Track,energy,valence", suffix="") == {
        "solution.txt": "Track,energy,valence\n9,1.250000,0.800000\n30,0.300000,0.200000\nb7,0.600000,0.500000\n"
    }


@pytest.mark.parametrize(
    ("axes", "said"),
    [(["valence"], "energy, danceability"), (["danceability", "valence", "arousal"], "energy")],
)
def test_a_model_that_lacks_an_axis_writes_none_and_says_so(tmp_path, capsys, axes, said):
    assert predict(tmp_path, axes, VALUES[:, : len(axes)]) == {}
    assert capsys.readouterr().out == (
        f"No solution.txt: the model does not predict {said}; `musiclab combine` joins the predictions.csv of several "
        "models\n"
    )


def test_some_of_the_tracks_are_no_solution(tmp_path, capsys):
    assert predict(tmp_path, SHUFFLED, VALUES, tracks=[*IDS, "31"]) == {}
    assert capsys.readouterr().out == "No solution.txt: only 3 of 4 tracks were predicted\n"


@pytest.mark.parametrize("targets", [GENRES, ["arousal"]])
def test_a_model_of_genres_or_of_other_axes_says_nothing(tmp_path, capsys, targets):
    assert predict(tmp_path, targets, VALUES[:, : len(targets)]) == {}
    assert capsys.readouterr() == ("", "")


def test_a_prediction_that_is_not_finite_leaves_no_solution(tmp_path, capsys):
    predict(tmp_path, SHUFFLED, VALUES.where(VALUES != 0.6, torch.nan))
    assert "not finite" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("header", ["", "Id", "Id,valence,valence", "Id,valence,"])
def test_a_wrong_header_is_refused_before_anything_is_predicted(header):
    with pytest.raises(UserError, match="header"):
        SolutionWriter(header=header)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("data", "trainer", "predicted"), [({}, {}, 8), ({"limit": 5}, {}, 5), ({}, {"limit_predict_batches": 2}, 6)]
)
def test_a_task_leaves_the_solution_of_all_tracks_of_test(emotion_root, tmp_path, capsys, data, trainer, predicted):
    module = EmotionDataModule(root=emotion_root, batch_size=3, axes=["energy", "danceability", "valence"], **data)
    task = RegressionTask(
        num_features=128, target_names=module.target_names, backbone=lambda n: CNN(n, channels=(3,), pools=(2,))
    )
    runner = make_trainer(tmp_path, callbacks=[SolutionWriter(suffix=".npy")], **trainer)
    runner.predict(task, datamodule=module, return_predictions=False)
    folder = tmp_path / "lightning_logs" / "version_0"
    printed = capsys.readouterr().out
    predictions = np.array(read_table(folder / "predictions.csv"))
    assert len(predictions) == 1 + predicted
    if predicted < 8:
        assert f"No solution.txt: only {predicted} of 8 tracks" in printed
        assert not (folder / "solution.txt").exists()
        return
    header, *rows = read_table(folder / "solution.txt")
    assert header == ["Id.fused.full.npy.gz", "valence", "energy", "danceability"]
    assert [row[0] for row in rows] == [f"{number}.npy" for number in range(140, 148)]
    columns = [predictions[0].tolist().index(f"prediction_{axis}") for axis in header[1:]]
    np.testing.assert_array_equal(predictions[1:, columns], [row[1:] for row in rows])
