import os

import numpy as np
import pytest


class Evil:
    """What runs code when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_pickled_arrays_end_in_one_line_and_run_nothing(ganzoo_here, tmp_path, name):
    trace = tmp_path / "unpickled"
    array = np.array([Evil(trace), Evil(trace)], dtype=object)
    if name == "a.npy":
        np.save(tmp_path / name, array, allow_pickle=True)
    else:
        np.savez(tmp_path / name, images=array)
    result = ganzoo_here("train", "mlp", "--data", name, "--images", "64", "--out", "run")
    assert result.returncode == 1
    assert result.stderr == (
        f"ganzoo: cannot read {name}: it holds Python objects, which are pickled and never read, as they can run any code: "
        "save numbers instead\n"
    )
    assert not trace.exists()
    assert not (tmp_path / "run").exists()


def test_a_csv_ends_in_one_line_that_says_what_to_do(ganzoo_here, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    result = ganzoo_here("train", "mlp", "--data", "rows.csv", "--images", "64")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "numpy.loadtxt('rows.csv', delimiter=',', skiprows=1)" in result.stderr
