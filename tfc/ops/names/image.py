"""`tf.image`: images. Re-exports, nothing else."""

from tfc.ops.image.box_functions import (
    combined_non_max_suppression,
    draw_bounding_boxes,
    non_max_suppression,
    non_max_suppression_overlaps,
    non_max_suppression_padded,
    non_max_suppression_with_scores,
    sample_distorted_bounding_box,
)
from tfc.ops.image.color_functions import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    convert_image_dtype,
    grayscale_to_rgb,
    hsv_to_rgb,
    per_image_standardization,
    random_brightness,
    random_contrast,
    random_hue,
    random_saturation,
    rgb_to_grayscale,
    rgb_to_hsv,
    rgb_to_yiq,
    rgb_to_yuv,
    yiq_to_rgb,
    yuv_to_rgb,
)
from tfc.ops.image.decode_ops import decode_bmp, decode_gif, decode_image
from tfc.ops.image.jpeg_ops import (
    adjust_jpeg_quality,
    decode_and_crop_jpeg,
    decode_jpeg,
    encode_jpeg,
    extract_jpeg_shape,
    random_jpeg_quality,
)
from tfc.ops.image.layout_functions import (
    central_crop,
    crop_to_bounding_box,
    flip_left_right,
    flip_up_down,
    pad_to_bounding_box,
    random_flip_left_right,
    random_flip_up_down,
    resize_image_with_crop_or_pad,
    resize_with_crop_or_pad,
    rot90,
    transpose,
    transpose_image,
)
from tfc.ops.image.measure_functions import (
    image_gradients,
    psnr,
    sobel_edges,
    ssim,
    ssim_multiscale,
    total_variation,
)
from tfc.ops.image.patch_ops import extract_image_patches, extract_patches
from tfc.ops.image.png_ops import decode_png, encode_png, is_jpeg
from tfc.ops.image.resize_functions import (
    ResizeMethod,
    crop_and_resize,
    extract_glimpse,
    resize,
    resize_area,
    resize_bicubic,
    resize_bilinear,
    resize_image_with_pad,
    resize_images,
    resize_nearest_neighbor,
)
from tfc.ops.norm_ops import random_crop
