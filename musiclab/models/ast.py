"""Spectrogram transformer."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiclab.errors import UserError, one_line
from musiclab.models.backbone import Backbone, frame_mask

FRAMES_AT_A_TIME = 4096
"""Frames that are evaluated together on a CPU; attention takes memory with the square of each track's patches."""

UNSEEN = ("num_attention_heads", "time_stride", "frequency_stride", "max_length", "num_mel_bins", "hidden_act")
"""Settings of the library's that weights of the same shapes may differ in."""


class AST(Backbone):
    """The encoder of a spectrogram transformer over square patches of the spectrogram.

    Two tokens stand before the patches; the mean of what becomes of them is the embedding. Patches begin every
    ``time_stride`` frames and every ``frequency_stride`` features. Those count that lie wholly within a track, as if it
    stood alone; nothing attends to the others. So up to ``time_stride - 1`` frames at the end, and as many features at
    the top as are left over, are not looked at. Fewer features than a patch has are filled up with zeros; a track of
    fewer frames than a patch is refused.

    There is a position for each patch of ``frames`` frames. A shorter track has the first of them; for a longer one,
    positions are stretched to its own length along time and interpolated linearly.

    It is made of ``ASTModel`` of the library transformers (``pip install 'musiclab[ast]'``), whose weights fit, and
    gives the same for a track of ``frames`` frames.

    Args:
        num_features: Values per frame.
        hidden_size: Values of a patch, and of the embedding; a multiple of ``num_heads``.
        num_layers: Layers of the encoder.
        num_heads: Heads of the attention.
        mlp_size: Units of the hidden layer of each layer's perceptron; None for four times ``hidden_size``.
        patch_size: Frames and features of a patch.
        time_stride: Frames from patch to patch.
        frequency_stride: Features from patch to patch.
        frames: Length of a track in frames that each has a position of its own for.
        dropout: Probability of dropping a value of patches and layers, or a weight of the attention.
        weights: Folder that a training starts from, written by ``save_pretrained`` of transformers: an ``ASTModel`` or
            ``ASTForAudioClassification`` of these sizes. It is read when a training begins, unless that starts from a
            checkpoint, and by :meth:`load_weights`; checkpoints need it no more. Nothing is ever downloaded.

    Raises:
        UserError: If transformers is not installed, or sizes do not go together.

    Source:
        Gong et al. 2021, "AST: Audio Spectrogram Transformer", arXiv 2104.01778.
    """

    def __init__(
        self,
        num_features: int,
        hidden_size: int = 192,
        num_layers: int = 4,
        num_heads: int = 3,
        mlp_size: int | None = None,
        patch_size: int = 16,
        time_stride: int = 10,
        frequency_stride: int = 10,
        frames: int = 256,
        dropout: float = 0.1,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "num_heads": num_heads, "patch_size": patch_size}
        sizes |= {"time_stride": time_stride, "frequency_stride": frequency_stride}
        sizes |= {"mlp_size": 1 if mlp_size is None else mlp_size}
        for name, size in sizes.items():
            if size < 1:
                raise UserError(f"{name} is {size}; it must be at least 1")
        if hidden_size % num_heads:
            raise UserError(f"hidden_size is {hidden_size}; it must be a multiple of num_heads, {num_heads}")
        if frames < patch_size:
            raise UserError(f"frames is {frames}; it must be at least patch_size, {patch_size}")
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        transformers = _transformers()
        config = transformers.ASTConfig(
            hidden_size=hidden_size,
            num_hidden_layers=num_layers,
            num_attention_heads=num_heads,
            intermediate_size=4 * hidden_size if mlp_size is None else mlp_size,
            hidden_dropout_prob=float(dropout),
            attention_probs_dropout_prob=float(dropout),
            patch_size=patch_size,
            time_stride=time_stride,
            frequency_stride=frequency_stride,
            max_length=frames,
            num_mel_bins=max(num_features, patch_size),
        )
        self.encoder = transformers.ASTModel(config)
        # What it is given are patches with their positions already.
        self.embeddings, self.encoder.embeddings = self.encoder.embeddings, nn.Identity()
        tokens = (self.embeddings.cls_token, self.embeddings.distillation_token, self.embeddings.position_embeddings)
        for values in tokens:  # which the library leaves at zero, so that the two tokens would stay the same for good
            nn.init.trunc_normal_(values, std=0.02)
        self.embedding_size = hidden_size
        self.min_frames = patch_size
        self.time_stride = time_stride
        self.missing = max(0, patch_size - num_features)
        self.positions_in_time = (frames - patch_size) // time_stride + 1
        self.weights = weights

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``.

        Raises:
            UserError: If a track has fewer frames than a patch.
        """
        shortest = int(lengths.min())
        if shortest < self.min_frames:
            raise UserError(
                f"a track has {shortest} frames, but AST needs {self.min_frames}, which a patch has; leave shorter "
                "tracks out, or train with a smaller --model.backbone.init_args.patch_size"
            )
        if self.training or torch.is_grad_enabled() or spectrograms.device.type != "cpu":
            return self.masked(spectrograms, lengths)
        # Tracks that nothing is learnt from need not be in memory together.
        tracks = max(1, FRAMES_AT_A_TIME // spectrograms.shape[1])
        parts = zip(torch.split(spectrograms, tracks), torch.split(lengths, tracks), strict=True)
        return torch.cat([self.masked(*part) for part in parts])

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings, by operations whose shapes and course depend on no value."""
        own = frame_mask(lengths, spectrograms.shape[1])
        images = F.pad(spectrograms.masked_fill(~own[:, :, None], 0.0), (0, self.missing))
        patches = self.embeddings.patch_embeddings(images)  # of one frequency after the other
        places = (spectrograms.shape[1] - self.min_frames) // self.time_stride + 1
        whole = (lengths - self.min_frames) // self.time_stride + 1
        tokens = torch.cat([self.embeddings.cls_token, self.embeddings.distillation_token], dim=1)
        positions = self.embeddings.position_embeddings[:, :2]
        hidden = torch.cat(
            [(tokens + positions).expand(len(patches), -1, -1), patches + self._positions(whole, places)], dim=1
        )
        seen = frame_mask(whole, places).repeat(1, patches.shape[1] // places)
        mask = torch.cat([seen.new_ones(len(patches), 2), seen], dim=1)
        encoded = self.encoder(input_values=self.embeddings.dropout(hidden), attention_mask=mask)
        embedding: Tensor = encoded.pooler_output
        return embedding

    def _positions(self, whole: Tensor, places: int) -> Tensor:
        """Return the positions of patches, ``(batch, patches, hidden)``, of tracks of ``whole`` patches along time."""
        count = self.positions_in_time
        stretch = ((count - 1) / (whole - 1).clamp(min=1)).clamp(max=1)
        where = torch.arange(places, device=whole.device) * stretch[:, None]
        shares = (1 - (where[:, :, None] - torch.arange(count, device=whole.device)).abs()).clamp(min=0)
        table = self.embeddings.position_embeddings[0, 2:].unflatten(0, (-1, count))
        return torch.einsum("btp,fph->bfth", shares, table).flatten(1, 2)

    def load_weights(self) -> None:
        """Load the weights of the folder that was given, if one was.

        Raises:
            UserError: If there are none, or they do not fit.
        """
        if self.weights is None:
            return
        given = read_model(self.weights)
        theirs, own = given.state_dict(), self._named_as_given()
        configs = (given.config, self.encoder.config)
        compared = {name: [_shape(part.get(name)) for part in (theirs, own)] for name in [*own, *theirs]}
        compared |= {name: [str(getattr(config, name)) for config in configs] for name in UNSEEN}
        for name, (there, here) in compared.items():
            if there != here:
                raise UserError(
                    f"{self.weights}: its weights do not fit: {name} is {there} there and {here} here; give "
                    "model.backbone the sizes that it was trained with"
                )
        with torch.no_grad():
            for name, values in own.items():
                values.copy_(theirs[name])

    def _named_as_given(self) -> dict[str, Tensor]:
        """Return the own weights by the names of ``ASTModel``."""
        own: dict[str, Tensor] = {f"embeddings.{name}": one for name, one in self.embeddings.state_dict().items()}
        return own | dict(self.encoder.state_dict())


def read_model(folder: str) -> Any:
    """Return the ``ASTModel`` that transformers saved in a folder.

    Raises:
        UserError: If there is none, or a weight of it is missing.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; give one that save_pretrained of transformers wrote")
    transformers = _transformers()
    try:
        with _quiet(transformers):
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if not isinstance(config, transformers.ASTConfig):
                raise UserError(f"{folder}: a model of type {config.model_type}; give an AST's folder")
            model, found = transformers.ASTModel.from_pretrained(
                folder, config=config, local_files_only=True, output_loading_info=True
            )
    except UserError:
        raise
    except Exception as error:  # whatever transformers and safetensors make of files that are none
        raise UserError(
            f"{folder}: no weights that transformers can read ({one_line(error):.200}); give a folder that its "
            "save_pretrained wrote"
        ) from None
    if lacking := sorted(found["missing_keys"]):
        raise UserError(f"{folder}: its weights are not all there: {lacking[0]} is missing; save the model anew")
    return model


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError:
        raise UserError("AST needs transformers; install it: pip install 'musiclab[ast]'") from None


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep transformers from showing bars, and from telling of weights that nobody asked it for."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else str(tuple(tensor.shape))
