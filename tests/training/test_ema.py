import pytest
import torch
from torch import nn

from ganzoo import plugins
from ganzoo.training.config import resolve
from ganzoo.training.ema import DENSE, EMA, SPACING
from ganzoo.training.prepare import prepare


def test_after_a_half_life_half_of_the_way_is_gone():
    net = nn.Linear(1, 1)
    nn.init.zeros_(net.weight)
    ema = EMA({"generator": net}, half_life=100)
    nn.init.ones_(net.weight)
    for _ in range(10):
        ema.update(10_000, 10)
    torch.testing.assert_close(ema.networks["generator"].weight, torch.full((1, 1), 0.5))


def test_the_half_life_grows_with_what_was_seen():
    net = nn.Linear(1, 1)
    nn.init.zeros_(net.weight)
    ema = EMA({"generator": net}, half_life=1e12, ramp=0.25)
    nn.init.ones_(net.weight)
    ema.update(1000, 250)
    torch.testing.assert_close(ema.networks["generator"].weight, torch.full((1, 1), 0.5))


def test_a_run_has_the_average_that_its_options_ask_for():
    options = {"ema_images": 1000, "ema_ramp": 0.3, "generator.width": 4, "discriminator.width": 4}
    ema = prepare(resolve(plugins.load().registry, "dcgan", options=options), device="cpu").ema
    assert (ema.half_life, ema.ramp) == (1000, 0.3)


def test_no_half_life_follows_exactly_buffers_too():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = EMA({"generator": net}, half_life=0)
    net(torch.randn(8, 2))
    with torch.no_grad():
        net[0].weight.add_(1)
    ema.update(8, 8)
    for name, value in net.state_dict().items():
        assert torch.equal(ema.networks["generator"].state_dict()[name], value), name


def test_the_average_is_frozen_and_evaluates():
    ema = EMA({"generator": nn.BatchNorm1d(2)}, half_life=1)
    assert not ema.networks["generator"].training
    assert not any(p.requires_grad for p in ema.networks["generator"].parameters())


def test_the_statistics_of_batch_norm_are_averaged_like_weights():
    net = nn.BatchNorm1d(1)
    ema = EMA({"generator": net}, half_life=100)
    net.running_mean.fill_(8.0)
    with torch.no_grad():
        net.bias.fill_(4.0)
    ema.update(10_000, 100)
    average = ema.networks["generator"]
    assert average.running_mean.item() == pytest.approx(4.0)
    assert average.bias.item() == pytest.approx(2.0)
    assert torch.equal(average.num_batches_tracked, net.num_batches_tracked)


def test_an_old_average_takes_in_every_so_many_images_and_comes_out_the_same():
    """The same half-life in images, whatever the batch is and however seldom it is updated."""
    ends = []
    for batch in (32, 64, 256):
        network = nn.Linear(1, 1, bias=False)
        ema = EMA({"g": network}, 50_000)
        for images in range(batch, 200_001, batch):
            with torch.no_grad():
                network.weight.fill_(images / 200_000)
            before = ema.networks["g"].weight.item()
            ema.update(images, batch)
            if images > DENSE:
                assert (ema.networks["g"].weight.item() != before) == (images % SPACING == 0)
        ends.append(ema.networks["g"].weight.item())
    assert ends == pytest.approx([ends[0]] * 3, rel=2e-3)
