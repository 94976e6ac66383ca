"""What the report page is told: BD-rates with the ranges they were taken over."""

import pytest

from latens.evaluate.curves import MeanCurve
from latens.evaluate.payload import bd_table

RATES = (0.25, 0.5, 1.0, 2.0)


@pytest.mark.parametrize(
    ("metric", "values", "span"),
    [
        ("ssimulacra2", (-28.1, 20.0, 60.0, 83.07), (-28.1, 83.07)),
        ("gmsd", (0.2, 0.15, 0.1, 0.05), (0.05, 0.2)),
        ("psnr_rgb", (26.0, 30.0, 34.0, 38.0), (28.0, 37.0)),
    ],
)
def test_ranges_are_told_in_the_values_of_the_metric(
    metric: str, values: tuple[float, ...], span: tuple[float, float]
) -> None:
    curves = [MeanCurve(name, name, ("",) * 4, {"bpp": RATES, metric: values}) for name in ("a", "b")]
    entry = bd_table(curves, metric)["a"]["b"]
    assert (entry["low"], entry["high"]) == span and not entry["shrunk"]
