"""How many kernels a training step of a layer is."""

import pytest

from tfc.tools.dump_ir import run_program

STEP = """
import numpy as np, tfc as tf
x = tf.placeholder(tf.float32, {shape})
y = tf.layers.batch_normalization(x, training=True)
loss = tf.reduce_mean(tf.square(y - 1.0))
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    s.run([step, loss], {{x: np.ones({shape})}})
"""


@pytest.mark.parametrize(("shape", "most"), [([64, 256], 9), ([8, 6, 6, 16], 7)])
def test_a_training_step_is_few_kernels(tmp_path, shape, most):
    """Statistics, normalization, loss, gradients, updates of averages and variables."""
    script = tmp_path / "step.py"
    script.write_text(STEP.format(shape=shape))
    kernels = run_program(str(script), [], False).dumps[-1].after("fuse").ops
    assert 1 <= sum(op.defn.name == "fusion" for op in kernels) <= most
