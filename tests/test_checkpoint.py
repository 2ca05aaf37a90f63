"""Whatever is given in place of a checkpoint is refused with one line that names it."""

import pickle
from argparse import Namespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musiclab.checkpoint import output_kind, read_checkpoint
from musiclab.errors import UserError

pytestmark = pytest.mark.filterwarnings("error")  # one line is all that the user sees


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.ckpt"


def refused(path):
    with pytest.raises(UserError, match=r"some\.ckpt.*give") as info:
        read_checkpoint(path)
    assert "\n" not in str(info.value)


def test_a_checkpoint_is_read(path):
    inputs = {"num_features": 12, "features": "chroma", "beat_synced": False, "seconds": 0.1}
    checkpoint = {
        "hyper_parameters": {"target_names": ["Rock"], **inputs},
        "state_dict": {"weight": torch.ones(2), "feature_mean": torch.zeros(12), "feature_std": torch.ones(12)},
    }
    torch.save(checkpoint, path)
    assert read_checkpoint(str(path))["hyper_parameters"] == checkpoint["hyper_parameters"]


def test_missing_file(path):
    refused(path)


def test_folder(path):
    path.mkdir()
    refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02\x03",
        b"Id\tGenre\n100.fused.full.npy.gz\tRock\n",
        b"epoch,loss\n0,1.5\n",
        b"trainer:\n  max_epochs: 3\n",
        b"PK\x03\x04 no archive",
        pickle.dumps({"hyper_parameters": {"target_names": ["Rock"]}})[:20],
    ],
)
def test_no_checkpoint(path, content):
    path.write_bytes(content)
    refused(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes(path, content):
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_checkpoint(path, share):
    torch.save({"hyper_parameters": {"target_names": ["Rock"]}, "weight": torch.ones(999)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


@pytest.mark.parametrize(
    "other",
    [
        torch.ones(3),
        [1, 2],
        {"weight": torch.ones(3)},
        {"state_dict": {}, "epoch": 1, "hyper_parameters": {"lr": 0.1}},
        {"hyper_parameters": None},
        {"hyper_parameters": 3},
        {"hyper_parameters": "target_names"},
        {"hyper_parameters": Namespace(target_names=["Rock"])},
    ],
)
def test_something_else_that_torch_saved(path, other):
    torch.save(other, path)
    refused(path)


@pytest.mark.parametrize("save", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_code_in_a_checkpoint_is_not_run(path, save):
    sprung = path.with_name("sprung")
    save({"hyper_parameters": {"target_names": ["Rock"]}, "trap": Trap(sprung)}, path)
    refused(path)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"output_kind": "values", "state_dict": {"class_weights": torch.ones(2)}}, "values"),
        ({"output_kind": "classes", "state_dict": {}}, "classes"),
        ({"state_dict": {"class_weights": torch.ones(2)}}, "classes"),
        ({"state_dict": {"target_mean": torch.ones(2)}}, "values"),
    ],
)
def test_the_kind_of_outputs_is_said_or_seen_by_class_weights(content, kind):
    assert output_kind(content) == kind
