"""Tasks and data made again from checkpoints."""

import pytest
import torch
from command_line import fit_args, read_rows, run_folder
from conftest import GENRES, make_genre_folder

from musiclab.cli import main
from musiclab.data.datamodules import GenreDataModule
from musiclab.errors import UserError
from musiclab.inference.trained import TrainedModel
from musiclab.tasks import ClassificationTask

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


@pytest.fixture(scope="module")
def run(genre_root, tmp_path_factory):
    """The run folder of a small CNN; its weights are averaged."""
    folder = tmp_path_factory.mktemp("run")
    main(fit_args("genre_cnn.yaml", genre_root, folder, "--data.limit=27", "--data.num_workers=0"))
    return run_folder(folder)


@pytest.fixture
def checkpoint(run):
    return run / "checkpoints" / "best.ckpt"


def changed(checkpoint, tmp_path, change):
    """Return the path of a copy of a checkpoint with something changed."""
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def test_a_restored_task_predicts_on_restored_data_what_the_test_wrote(run, checkpoint):
    task, data = TrainedModel(checkpoint).task(), TrainedModel(checkpoint).data()
    assert type(task) is ClassificationTask
    assert not any(module.training for module in task.modules())
    data.setup("test")
    written = {row["id"]: [float(row[genre]) for genre in GENRES] for row in read_rows(run / "predictions.csv")}
    with torch.inference_mode():
        outputs = [task.predict_step(batch, 0) for batch in data.test_dataloader()]
    predicted = {i: row for output in outputs for i, row in zip(output["ids"], output["predictions"], strict=True)}
    assert predicted.keys() == written.keys()
    for identifier, row in predicted.items():
        assert row.tolist() == pytest.approx(written[identifier], abs=2e-6)


def test_restoring_says_nothing(checkpoint, recwarn, capfd):
    TrainedModel(checkpoint).task()
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_data_have_the_settings_of_the_training_but_for_limit_and_machine(checkpoint, genre_root):
    data = TrainedModel(checkpoint).data()
    assert type(data) is GenreDataModule
    assert (data.root, data.loading.batch_size, data.target_names) == (genre_root, 8, GENRES)
    assert data.draw.limit is None
    assert "num_workers" not in TrainedModel(checkpoint).data_settings()[1]


def test_settings_can_be_changed_and_targets_stay_in_the_order_of_the_model(checkpoint, tmp_path):
    root = make_genre_folder(tmp_path / "other", test=2)
    data = TrainedModel(checkpoint).data(root=root, features="chroma", limit=1)
    assert (data.root, data.num_features, data.draw.limit, data.target_names) == (root, 12, 1, GENRES)


def test_a_checkpoint_of_a_task_made_in_python_says_neither_task_nor_data(checkpoint, tmp_path):
    def forget(content):
        del content["hyper_parameters"]["_class_path"], content["datamodule_hyper_parameters"]["_class_path"]

    model = TrainedModel(changed(checkpoint, tmp_path, forget))
    for restore in (model.task, model.data):
        with pytest.raises(UserError, match=r"changed\.ckpt: does not say"):
            restore()


def test_a_class_that_is_not_there_is_named(checkpoint, tmp_path):
    def rename(content):
        content["hyper_parameters"]["_class_path"] = "elsewhere.Task"

    with pytest.raises(UserError, match=r"changed\.ckpt: needs module elsewhere \(of model\)") as info:
        TrainedModel(changed(checkpoint, tmp_path, rename)).task()
    assert "\n" not in str(info.value)


def test_weights_that_do_not_fit_are_refused(checkpoint, tmp_path):
    def shrink(content):
        content["hyper_parameters"]["backbone"]["init_args"]["channels"] = [2, 2, 2, 2]

    with pytest.raises(UserError, match=r"changed\.ckpt: its weights do not fit") as info:
        TrainedModel(changed(checkpoint, tmp_path, shrink)).task()
    assert "\n" not in str(info.value)
