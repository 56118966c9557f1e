"""Several processes compute what one does: real ones, that torchrun starts."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import nn

from ganzoo.cli import cli
from ganzoo.errors import UsageError
from ganzoo.training.processes import Processes, join

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
STEPS = 50
BATCH = 16
SMALL = {
    "mlp": {"generator.hidden": [32, 32], "discriminator.hidden": [32]},
    "wgan-gp": {"generator.width": 8, "discriminator.width": 8, "n_critic": 2},
    "dcgan": {"generator.width": 8, "discriminator.width": 8},
}


def command(variant, folder, processes, *words, **options):
    given = {**SMALL[variant], "batch_size": BATCH, "lr": 1e-4, "ema_images": 100, **options}
    train = ["-m", "ganzoo", "train", variant, "--device", "cpu", "--precision", "fp32", "--images", str(STEPS * BATCH)]
    train += [word for key, value in given.items() for word in ("-o", f"{key}={json.dumps(value)}")]
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(many if processes > 1 else []), *train, *words, "--out", str(folder)]


def train(variant, folder, processes, *words, **options):
    """In processes that torchrun starts; one alone is this one."""
    words = command(variant, folder, processes, *words, **options)
    if processes == 1:
        done = CliRunner().invoke(cli, words[words.index("ganzoo") + 1 :], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


def left(folder):
    (path,) = (folder / "checkpoints").iterdir()
    return {f"{p.name}/{name}": tensor for p in path.glob("*.safetensors") for name, tensor in load_file(p).items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "steps", "words"),
    [
        ("mlp", STEPS, ()),
        ("wgan-gp", STEPS, ()),
        ("dcgan", STEPS, ("--loss", "hinge", "--penalty", "gradient-penalty")),
        # With its own loss and penalty, what rounding differs by is 7e-4 of a tensor after 30 steps already; why is not known.
        ("dcgan", 10, ()),
    ],
)
def test_two_processes_compute_what_one_does(tmp_path, variant, steps, words):
    # Adam makes whole steps of gradients that are nothing but rounding; here rounding stays what it is.
    plainly = {"optimizer": "sgd", "betas": None, "momentum": 0.9, "lr": 1e-3}
    words = ("--images", str(steps * BATCH), *words)
    train(variant, tmp_path / "one", 1, *words, **plainly)
    done = train(variant, tmp_path / "two", 2, *words, **plainly)
    assert done.stdout.count("model\t") == 1
    one, two = left(tmp_path / "one"), left(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        if steps < STEPS and max(tensor.float().norm(), two[name].float().norm()) < 1e-6:
            continue  # nothing but rounding: the bias of the last layer, which a loss on differences of logits does not feel
        error = (tensor.float() - two[name].float()).norm() / tensor.float().norm().clamp_min(1e-3)
        assert error < 1e-5, (name, float(error))


ENDS = """
import atexit, os, pathlib

def left():
    threads = [(path / "comm").read_text().strip() for path in pathlib.Path("/proc/self/task").iterdir()]
    # In one call, so that the other process's words do not come between.
    os.write(1, f"left over: {[name for name in threads if 'gloo' in name]}\\n".encode())

atexit.register(left)
import torch
from ganzoo.training.processes import join
processes = join("cpu")
torch.optim.Adam([torch.ones(1, requires_grad=True)])
processes.meet()
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the names of threads from /proc")
def test_no_thread_outlives_the_group(tmp_path):
    (tmp_path / "ends.py").write_text(ENDS)
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(tmp_path / "ends.py")]
    done = subprocess.run([sys.executable, *many], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left over: []") == 2, done.stdout


@pytest.mark.slow
def test_a_run_of_one_process_goes_on_in_two(tmp_path):
    """And the second one needs no file: rank 0 alone reads and writes."""
    train("mlp", tmp_path / "one", 1)
    train("mlp", tmp_path / "cut", 1, "--images", str(20 * BATCH))
    done = train("mlp", tmp_path / "cut", 2)
    assert "going on after 320 images" in done.stderr
    (path,) = [p for p in (tmp_path / "cut" / "checkpoints").iterdir() if int(p.name) == STEPS * BATCH]
    one, two = load_file(tmp_path / "one" / "model" / "model.safetensors"), load_file(path / "ema.safetensors")
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[f"generator/{name}"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_several_processes_stop_together_and_go_on(tmp_path):
    words = command("mlp", tmp_path / "run", 2, "--images", "10M")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in process.stderr:
        if "images" in line and "%" in line:
            break
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert int(path.name) > 0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_one_process_needs_no_other(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = join("cpu")
    assert (alone.count, alone.rank, alone.is_main) == (1, 0, True)
    assert alone.broadcast("x") == "x"
    assert alone.largest([1.5]) == [1.5]
    network = nn.Sequential(nn.BatchNorm1d(2))
    alone.synchronise([network])
    assert type(network[0]) is nn.BatchNorm1d


def test_a_batch_must_be_shared_out_equally(tmp_path, monkeypatch):
    from ganzoo import plugins
    from ganzoo.training.config import resolve
    from ganzoo.training.prepare import prepare

    monkeypatch.setattr("ganzoo.training.prepare.join", lambda device: Processes(3, 0, torch.device("cpu")))
    with pytest.raises(UsageError, match="batch_size=32 cannot be shared out equally to 3 processes"):
        prepare(resolve(plugins.load().registry, "mlp", options={"batch_size": 32}), out=tmp_path / "run")


def test_a_devices_number_is_not_for_the_user_to_say(monkeypatch):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="--device cuda"):
        join("cuda:1")


@pytest.mark.parametrize("count", ["2", "x"])
def test_processes_that_cannot_meet_are_told_how(monkeypatch, count):
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(UsageError, match=f"WORLD_SIZE={count}.*torchrun"):
        join()
