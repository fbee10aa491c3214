"""Image ops and functions: `tf.image`. Importing this package defines the ops."""

from tfc.ops.image import (
    box_ops,
    color_ops,
    crop_ops,
    decode_ops,
    jpeg_ops,
    nms_native,
    nms_ops,
    patch_ops,
    png_ops,
    resize_ops,
    volume_patch_ops,
)

__all__ = [
    "box_ops",
    "color_ops",
    "crop_ops",
    "decode_ops",
    "jpeg_ops",
    "nms_native",
    "nms_ops",
    "patch_ops",
    "png_ops",
    "resize_ops",
    "volume_patch_ops",
]
