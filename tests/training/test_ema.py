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


class Rebinding(nn.Module):
    """Puts a new tensor in the place of a buffer, as networks do that keep statistics of their own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("later", None)

    def forward(self, x):
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0)
            self.seen = self.seen + len(x)
            self.layer.weight.data = self.layer.weight.data.clamp(-0.1, 0.1)
        return self.layer(x - self.mean)


def test_the_average_follows_buffers_and_weights_that_a_network_replaces():
    net = Rebinding()
    ema = EMA({"generator": net}, half_life=100)
    average = ema.networks["generator"]
    for step in range(1, 4):
        before = average.mean.clone(), average.layer.weight.clone()
        net(torch.full((8, 2), 6.0))
        ema.update(10_000, 100)
        assert torch.equal(average.mean, torch.lerp(before[0], net.mean, 0.5))
        assert torch.equal(average.layer.weight, torch.lerp(before[1], net.layer.weight, 0.5))
        assert average.seen == net.seen == 8 * step
    assert net.mean[0] == 5.25
    assert net.layer.weight.abs().max() <= 0.1


def test_the_average_goes_on_where_it_replaces_a_buffer_of_its_own():
    net = Rebinding()
    ema = EMA({"generator": net}, half_life=0)
    ema.networks["generator"].mean = torch.ones(2)
    net(torch.full((8, 2), 6.0))
    ema.update(8, 8)
    assert torch.equal(ema.networks["generator"].mean, net.mean)


def test_a_weight_that_two_layers_share_is_averaged_once():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    net[1].weight = net[0].weight
    nn.init.zeros_(net[0].weight)
    ema = EMA({"generator": net}, half_life=100)
    nn.init.ones_(net[0].weight)
    ema.update(10_000, 100)
    assert ema.networks["generator"][1].weight.item() == pytest.approx(0.5)
