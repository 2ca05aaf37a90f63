"""Backbones: from spectrograms of any length to one embedding per track."""

from musiclab.models.ast import AST
from musiclab.models.backbone import Backbone
from musiclab.models.cnn import CNN
from musiclab.models.crnn import CRNN
from musiclab.models.flat_cnn import FlatCNN
from musiclab.models.lstm import LSTM
from musiclab.models.mean import MeanOverTime
from musiclab.models.musicnn import MusiCNN
from musiclab.models.residual import ResidualCNN

__all__ = ["AST", "CNN", "CRNN", "LSTM", "Backbone", "FlatCNN", "MeanOverTime", "MusiCNN", "ResidualCNN"]
