"""Whether a figure can be read."""

import itertools

import numpy as np

DPI = 110


def assert_readable(figure, width=360):
    """Nothing is clipped, labels of ticks do not overlap, and the text can be read at ``width`` pixels."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    wide, high = figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01, box
    assert box.x1 <= wide + 0.01, (box, wide)
    assert box.y1 <= high + 0.01, (box, high)
    shrunk = min(1, width / (wide * DPI))
    for axes in figure.axes:
        for axis, along in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)  # inner ones have no labels
            boxes = [label.get_window_extent() for place, label in ticks if low <= place <= high and label.get_text()]
            boxes.sort(key=lambda box: box.min[along])
            assert all(left.max[along] <= right.min[along] for left, right in itertools.pairwise(boxes))
            sizes = [label.get_fontsize() for label in axis.get_ticklabels()]
            assert (
                min([axis.label.get_fontsize(), axes.title.get_fontsize(), *sizes]) * DPI / 72 * shrunk >= 9
            )  # pixels
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
