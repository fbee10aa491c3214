"""What starting costs: `import tfc`, and building, compiling and running the first step of two
training programs in fresh processes, with an empty and with a filled cache of machine code.

Every figure is the median over fresh processes; processes take turns, so that a slow minute of the
machine is everybody's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable

NUMPY = "import numpy"
NUMPY_AND_LLVM = "import numpy, llvmlite.binding"
IMPORT = "import tfc"
MLP = """
import numpy as np
import tfc as tf
from tfc.examples.tutorials.mnist import mnist
images = tf.placeholder(tf.float32, (100, 784))
labels = tf.placeholder(tf.int32, (100,))
loss = mnist.loss(mnist.inference(images, 128, 32), labels)
train_op = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
sess = tf.Session()
sess.run(tf.global_variables_initializer())
sess.run([train_op, loss], {images: np.zeros((100, 784)), labels: np.zeros(100)})
"""
CNN = """
import numpy as np
import tfc as tf

def weights(*shape):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))

def bias(width):
    return tf.Variable(tf.constant(0.1, shape=[width]))

def block(x, inputs, outputs):
    x = tf.nn.conv2d(x, weights(5, 5, inputs, outputs), [1, 1, 1, 1], "SAME") + bias(outputs)
    return tf.nn.max_pool(tf.nn.relu(x), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

images = tf.placeholder(tf.float32, (50, 784))
labels = tf.placeholder(tf.float32, (50, 10))
x = block(block(tf.reshape(images, [-1, 28, 28, 1]), 1, 32), 32, 64)
x = tf.nn.relu(tf.matmul(tf.reshape(x, [-1, 3136]), weights(3136, 1024)) + bias(1024))
logits = tf.matmul(tf.nn.dropout(x, 0.5), weights(1024, 10)) + bias(10)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits))
train_op = tf.train.AdamOptimizer(1e-4).minimize(loss)
sess = tf.Session()
sess.run(tf.global_variables_initializer())
sess.run([train_op, loss], {images: np.zeros((50, 784)), labels: np.zeros((50, 10))})
"""
# What a process prints: seconds of wall time and of processor time for `program`, after `before`,
# and the most memory it had, in MB.
MEASURED = """
{before}
import resource, time
wall, cpu = time.perf_counter(), time.process_time()
{program}
print(time.perf_counter() - wall, time.process_time() - cpu,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
Figures = tuple[float, float, float]


def measure(program: str, cache: str, before: str = "") -> Figures:
    """Wall seconds, processor seconds and peak MB of `program` in a fresh process."""
    code = MEASURED.format(before=before, program=program)
    environment = {**os_environment(), "TFC_CACHE": cache}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    wall, cpu, peak = map(float, done.stdout.split()[-3:])
    return wall, cpu, peak


def os_environment() -> dict[str, str]:
    """This process's environment, but that compiled Python modules are kept, as users keep them."""

    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def cold(program: str) -> Figures:
    with tempfile.TemporaryDirectory() as empty:
        return measure(program, empty, "import numpy, tfc")


def rows(filled: str) -> dict[str, Callable[[], Figures]]:
    """What is measured, by its line in the table. `filled`: the folder of the warm cache."""
    after = "import numpy, tfc"
    return {
        "import numpy": lambda: measure(NUMPY, "off"),
        "import numpy and llvmlite": lambda: measure(NUMPY_AND_LLVM, "off"),
        "import tfc": lambda: measure(IMPORT, "off"),
        "MLP: build, compile, first step, cold": lambda: cold(MLP),
        "MLP: build, compile, first step, warm": lambda: measure(MLP, filled, after),
        "CNN: build, compile, first step, cold": lambda: cold(CNN),
        "CNN: build, compile, first step, warm": lambda: measure(CNN, filled, after),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only lines that contain this text")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as filled:
        chosen = {name: row for name, row in rows(filled).items() if args.only in name}
        for row in chosen.values():
            row()  # once unmeasured: fills the cache, and the system's own
        found: dict[str, list[Figures]] = {name: [] for name in chosen}
        for _ in range(args.rounds):
            for name, row in chosen.items():
                found[name].append(row())
    print(f"{'':<40} {'wall, ms':>9} {'(min to max)':>18} {'CPU, ms':>9} {'peak, MB':>9}")
    for name, figures in found.items():
        walls, cpus, peaks = ([1e3 * x for x in column] for column in zip(*figures, strict=True))
        spread = f"({min(walls):.0f} to {max(walls):.0f})"
        print(
            f"{name:<40} {statistics.median(walls):9.1f} {spread:>18} "
            f"{statistics.median(cpus):9.1f} {statistics.median(peaks) / 1e3:9.0f}"
        )


if __name__ == "__main__":
    main()
