"""Saver.save from several threads."""

import threading

import tfc as tf
from tfc.train import saver as module


def test_what_is_recorded_last_is_the_newest(tmp_path, monkeypatch):
    write, started, go_on = module.write_tensors, threading.Event(), threading.Event()

    def slow(path, tensors):
        if not started.is_set():
            started.set()
            go_on.wait(0.3)  # the other thread would be done by now
        write(path, tensors)

    monkeypatch.setattr(module, "write_tensors", slow)
    with tf.Graph().as_default(), tf.Session() as sess:
        step = tf.train.get_or_create_global_step()
        up, saver = tf.assign_add(step, 1), tf.train.Saver()
        sess.run(step.initializer)
        first = threading.Thread(target=saver.save, args=(sess, tmp_path / "m", step))
        first.start()
        assert started.wait(10)
        sess.run(up)
        assert saver.save(sess, tmp_path / "m", step) == str(tmp_path / "m-1")
        go_on.set()
        first.join()
        assert saver.last_checkpoints == [str(tmp_path / "m-0"), str(tmp_path / "m-1")]
        assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "m-1")
