"""Known networks, each on a page: ``from chainrule.nn import models``.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazily import loaded

if TYPE_CHECKING:
    from .autoencoder import ConvAutoencoder as ConvAutoencoder
    from .bc_resnet import BCResNet as BCResNet
    from .conv_gru import ConvGRU as ConvGRU
    from .ds_cnn import DSCNN as DSCNN
    from .gpt import GPT as GPT
    from .gpt import GPTState as GPTState
    from .lenet import LeNet5 as LeNet5
    from .mobilenet import MobileNet as MobileNet
    from .resnet import BasicBlock as BasicBlock
    from .resnet import ResNet as ResNet
    from .resnet import resnet18 as resnet18
    from .resnet import resnet20 as resnet20
    from .vgg import VGG as VGG
    from .vgg import vgg11 as vgg11
    from .vgg import vgg_small as vgg_small

#: where each public name is defined
_HOMES = {
    "ConvAutoencoder": "autoencoder",
    "BCResNet": "bc_resnet",
    "ConvGRU": "conv_gru",
    "DSCNN": "ds_cnn",
    "GPT": "gpt",
    "GPTState": "gpt",
    "LeNet5": "lenet",
    "MobileNet": "mobilenet",
    "BasicBlock": "resnet",
    "ResNet": "resnet",
    "resnet18": "resnet",
    "resnet20": "resnet",
    "VGG": "vgg",
    "vgg11": "vgg",
    "vgg_small": "vgg",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
