"""The test errors on CIFAR-10 that He et al. (2015) print, in Table 6."""

from rote.studies.comparison import Published

TABLE_6 = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43, 1202: 7.93}
"""Residual nets with option A, by layers, in percent."""

PUBLISHED = tuple(
    Published(
        "Table 6",
        f"ResNet, {depth} layers",
        "test_error",
        round(percent / 100, 4),
        "verified",
        "depth",
        {"net": "residual", "depth": depth},
    )
    for depth, percent in TABLE_6.items()
)
