"""Kernels that move more than they multiply, one at a time, of the sizes they usually have and of
odd ones: transpositions, sorts, pools and their gradients, norms, sums along each axis, images in
other sizes, and what has a shape that depends on data."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "Kernel"
UNIT, SCALE = "us a run", 1e6
TOLERANCE = 1e-3


def _sizes(**kernels):
    return [{"kernel": name, "extents": list(shape)} for name, shape in kernels.items()]


SIZES = (
    _sizes(
        transpose=(1024, 1024), channels_last=(32, 64, 56, 56), channels_first=(32, 56, 56, 64),
        concat=(64, 256, 65), pad=(32, 56, 56, 32), gather=(100_000, 64), cumsum=(1000, 1000),
        sort=(1000, 1000), argsort=(100_000,), top_k=(1000, 1000), argmax=(1000, 1000),
        sum_first=(512, 512, 64), sum_middle=(512, 512, 64), sum_last=(512, 512, 64),
        double=(1_000_003,), max_pool_gradient=(8, 112, 112, 64),
        max_pool_volumes_gradient=(4, 16, 32, 32, 32), mean_pool_gradient=(8, 56, 56, 64),
        batch_norm=(32, 56, 56, 64), layer_norm=(512, 1024), cross_entropy=(64, 10_000),
        resize=(8, 56, 56, 64), resize_gradient=(8, 56, 56, 64), boolean_mask=(1000, 1000),
        where=(1000, 1000), partition=(100_000, 16),
    ),
    _sizes(
        transpose=(1009, 997), channels_last=(7, 65, 57, 33), sort=(99, 1013), top_k=(64, 9973),
        sum_first=(511, 129, 65), max_pool_volumes_gradient=(3, 15, 17, 19, 33),
        mean_pool_gradient=(5, 57, 29, 33), batch_norm=(127, 1013), layer_norm=(131, 1021),
        resize=(3, 57, 29, 33), boolean_mask=(997, 131), where=(99, 1013),
    ),
)  # fmt: skip
PAD, TOP, WINDOW, PARTS = 1, 5, 7, 4


def per(**_):
    return 1


def cost(kernel, extents):
    """An array read and one written, if they are of the first one's size."""
    return 0, 4 * int(np.prod(extents)) * (
        2 if kernel[:3] not in ("sum", "arg", "top", "whe") else 1
    )


def summary(result):
    flat = np.asarray(result, np.float64).ravel()
    return flat[:: max(1, flat.size // 1000)]


def data(kernel, extents):
    """x; and what else the kernel takes: a second array, row numbers, labels, scales."""
    random = np.random.RandomState(0)
    x = random.standard_normal(extents).astype(np.float64 if kernel == "double" else np.float32)
    if kernel.startswith("max_pool"):  # no two are nearly equal
        x = random.permutation(x.size).reshape(extents).astype(np.float32)
    if kernel in ("batch_norm", "layer_norm"):
        return [x, *random.standard_normal((2, extents[-1])).astype("f"), x[::-1].copy()]
    if kernel == "cross_entropy":
        return [x, random.randint(0, extents[-1], extents[0])]
    if kernel == "where":
        return [x > 0]
    if kernel == "resize_gradient":
        batch, height, width, channels = extents
        flows = random.standard_normal((batch, 2 * height, 2 * width, channels))
        return [x, flows.astype(np.float32)]
    if kernel == "boolean_mask":
        return [x, random.rand(extents[0]) < 0.5]
    if kernel == "partition":
        return [x, random.randint(0, PARTS, extents[0]).astype(np.int32)]
    if kernel == "gather":
        return [x, random.randint(0, extents[0], extents[0] // 10)]
    return [x, x[::-1].copy()] if kernel == "concat" else [x]


def _normalized(tf, x, scale, offset, axes):
    mean, variance = tf.nn.moments(x, axes, keep_dims=True)
    return (x - mean) * tf.rsqrt(variance + 1e-3) * scale + offset


def _cross_entropy(tf, x, labels):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
    return tf.gradients(tf.reduce_mean(each), x)[0]


def _resized(tf, x):
    """Twice as high and wide; pixels are at their middle, as torch has them."""
    size = [2 * int(n) for n in x.shape[1:3]]
    return tf.image.resize_bilinear(x, size, half_pixel_centers=True)


def of_tensors(tf, kernel, x, *more):
    """The kernel's result, in TensorFlow's ops."""
    rank = len(x.shape)
    three = [1, *[3] * (rank - 2), 1], [1, *[2] * (rank - 2), 1], "SAME"
    made = {
        "transpose": lambda: tf.transpose(x),
        "channels_last": lambda: tf.transpose(x, [0, 2, 3, 1]),
        "channels_first": lambda: tf.transpose(x, [0, 3, 1, 2]),
        "concat": lambda: tf.concat([x, *more], -1),
        "pad": lambda: tf.pad(x, [[0, 0], [PAD, PAD], [PAD, PAD], [0, 0]]),
        "gather": lambda: tf.gather(x, *more),
        "cumsum": lambda: tf.cumsum(x, 1),
        "sort": lambda: tf.sort(x),
        "argsort": lambda: tf.argsort(x),
        "top_k": lambda: tf.nn.top_k(x, TOP)[0],
        "argmax": lambda: tf.argmax(x, 1),
        "sum_first": lambda: tf.reduce_sum(x, 0),
        "sum_middle": lambda: tf.reduce_sum(x, 1),
        "sum_last": lambda: tf.reduce_sum(x, 2),
        "double": lambda: x * x + x,
        "max_pool_gradient": lambda: tf.gradients(tf.nn.max_pool(x, *three), x)[0],
        "max_pool_volumes_gradient": lambda: tf.gradients(tf.nn.max_pool3d(x, *three), x)[0],
        "mean_pool_gradient": lambda: tf.gradients(
            tf.nn.avg_pool(x, [1, WINDOW, WINDOW, 1], [1, WINDOW, WINDOW, 1], "VALID"), x
        )[0],
        "batch_norm": lambda: tf.gradients(
            _normalized(tf, x, *more[:2], list(range(rank - 1))), x, more[2]
        )[0],
        "layer_norm": lambda: tf.gradients(_normalized(tf, x, *more[:2], [-1]), x, more[2])[0],
        "cross_entropy": lambda: _cross_entropy(tf, x, *more),
        "resize": lambda: _resized(tf, x),
        "resize_gradient": lambda: tf.gradients(_resized(tf, x), x, *more)[0],
        "boolean_mask": lambda: tf.boolean_mask(x, *more),
        "where": lambda: tf.where(x),
        "partition": lambda: tf.concat(tf.dynamic_partition(x, *more, PARTS), 0),
    }
    return made[kernel]()


def with_graph(tf, new_session, kernel, extents):
    arrays = data(kernel, extents)
    tensors = [tf.placeholder(tf.as_dtype(v.dtype), v.shape) for v in arrays]
    result = of_tensors(tf, kernel, *tensors)
    sess, feed = new_session(), dict(zip(tensors, arrays, strict=True))
    return lambda: sess.run(result, feed)


def with_torch(threads=2, *, kernel, extents):
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    x, *more = (torch.from_numpy(v) for v in data(kernel, extents))

    def gradient(of, seed=None):
        def run():
            taken = x.detach().requires_grad_(True)
            with torch.enable_grad():
                y = of(taken)
            return torch.autograd.grad(y, taken, torch.ones_like(y) if seed is None else seed)[0]

        return run

    def ahead(v):
        return v.permute(0, v.dim() - 1, *range(1, v.dim() - 1))

    def same(v):
        """With what SAME puts around windows of 3, two apart; -inf, so that none is taken."""
        pads = []
        for n in reversed(v.shape[2:]):
            total = max((-(-n // 2) - 1) * 2 + 3 - n, 0)
            pads += [total // 2, total - total // 2]
        return functional.pad(v, pads, value=float("-inf"))

    def resized(v):
        v = functional.interpolate(ahead(v), scale_factor=2, mode="bilinear", align_corners=False)
        return v.permute(0, 2, 3, 1)

    made = {
        "transpose": lambda: x.t().contiguous(),
        "channels_last": lambda: x.permute(0, 2, 3, 1).contiguous(),
        "channels_first": lambda: ahead(x).contiguous(),
        "concat": lambda: torch.cat([x, *more], -1),
        "pad": lambda: functional.pad(x, (0, 0, PAD, PAD, PAD, PAD)),
        "gather": lambda: torch.index_select(x, 0, *more),
        "cumsum": lambda: torch.cumsum(x, 1),
        "sort": lambda: torch.sort(x)[0],
        "argsort": lambda: torch.argsort(x),
        "top_k": lambda: torch.topk(x, TOP)[0],
        "argmax": lambda: torch.argmax(x, 1),
        "sum_first": lambda: torch.sum(x, 0),
        "sum_middle": lambda: torch.sum(x, 1),
        "sum_last": lambda: torch.sum(x, 2),
        "double": lambda: torch.add(x * x, x),
        "max_pool_gradient": gradient(lambda v: functional.max_pool2d(same(ahead(v)), 3, 2)),
        "max_pool_volumes_gradient": gradient(
            lambda v: functional.max_pool3d(same(ahead(v)), 3, 2)
        ),
        "mean_pool_gradient": gradient(lambda v: functional.avg_pool2d(ahead(v), WINDOW)),
        "batch_norm": gradient(
            lambda v: functional.batch_norm(
                ahead(v) if v.dim() > 2 else v, None, None, *more[:2], True, 0.0, 1e-3
            ),
            ahead(more[2]) if len(more) > 2 and x.dim() > 2 else more[-1] if more else None,
        ),
        "layer_norm": gradient(
            lambda v: functional.layer_norm(v, v.shape[-1:], *more[:2], 1e-3),
            more[-1] if more else None,
        ),
        "cross_entropy": gradient(lambda v: functional.cross_entropy(v, *more)),
        "resize": lambda: resized(x),
        "resize_gradient": gradient(resized, more[-1] if more else None),
        "boolean_mask": lambda: x[more[0]],
        "where": lambda: torch.nonzero(x),
        "partition": lambda: torch.cat([x[more[0] == k] for k in range(PARTS)]),
    }

    def run():
        torch.set_num_threads(threads)
        with torch.no_grad():
            return made[kernel]().numpy()

    return run


ENTRIES = {
    **graphs.entries(with_graph),
    "torch": with_torch,
    "torch, 1 thread": lambda **size: with_torch(threads=1, **size),
}
