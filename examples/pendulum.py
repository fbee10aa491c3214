"""A pendulum over a hundred swings: a differential equation integrated in a million native steps.

The state is in two variables, and one step of Runge and Kutta's method assigns them;
`Session.run_loop` runs it a million times in compiled code and keeps every thousandth state. How
long a swing takes is known exactly, so the pendulum must be back where it began.
"""

import argparse
import math
import time

import tfc as tf

START = 2.0  # radians from the lowest point
SWINGS = 100


def exact_period(angle):
    """The period in units of sqrt(length / g): 2 pi / agm(1, cos(angle / 2))."""
    a, b = 1.0, math.cos(angle / 2)
    while a - b > 1e-15:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return 2 * math.pi / a


def slope(angle, speed):
    return speed, -tf.sin(angle)


def runge_kutta(angle, speed, dt):
    """The state after `dt`, to fourth order."""
    a1, s1 = slope(angle, speed)
    a2, s2 = slope(angle + dt / 2 * a1, speed + dt / 2 * s1)
    a3, s3 = slope(angle + dt / 2 * a2, speed + dt / 2 * s2)
    a4, s4 = slope(angle + dt * a3, speed + dt * s3)
    return (
        angle + dt / 6 * (a1 + 2 * a2 + 2 * a3 + a4),
        speed + dt / 6 * (s1 + 2 * s2 + 2 * s3 + s4),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    args = parser.parse_args()

    angle = tf.Variable(START, dtype=tf.float64, name="angle")
    speed = tf.Variable(0.0, dtype=tf.float64, name="speed")
    dt = SWINGS * exact_period(START) / args.steps
    new_angle, new_speed = runge_kutta(angle, speed, dt)
    step = tf.group(angle.assign(new_angle), speed.assign(new_speed))
    energy = new_speed**2 / 2 - tf.cos(new_angle)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run_loop(step, 1)  # compiles
        sess.run(tf.global_variables_initializer())
        begin = time.perf_counter()
        result = sess.run_loop([step, new_angle, energy], args.steps, every=1000)
        seconds = time.perf_counter() - begin
    _, angles, energies = result.values
    print(f"{result.steps} steps in {seconds:.3f} s: {seconds / result.steps * 1e9:.0f} ns a step")
    print(f"angles kept: {len(angles)}, from {angles.min():.4f} to {angles.max():.4f}")
    print(f"energy: {energies[0]:.12f}, changed by {abs(energies - energies[0]).max():.1e}")
    print(f"after {SWINGS} swings: angle {angles[-1]:.9f}, started from {START:.9f}")


if __name__ == "__main__":
    main()
