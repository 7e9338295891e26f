"""Known networks, each on a page: ``from chainrule.nn import models``."""

from .autoencoder import ConvAutoencoder
from .bc_resnet import BCResNet
from .conv_gru import ConvGRU
from .ds_cnn import DSCNN
from .gpt import GPT, GPTState
from .lenet import LeNet5
from .mobilenet import MobileNet
from .resnet import BasicBlock, ResNet, resnet18, resnet20
from .vgg import VGG, vgg11, vgg_small

__all__ = [
    "DSCNN",
    "GPT",
    "VGG",
    "BCResNet",
    "BasicBlock",
    "ConvAutoencoder",
    "ConvGRU",
    "GPTState",
    "LeNet5",
    "MobileNet",
    "ResNet",
    "resnet18",
    "resnet20",
    "vgg11",
    "vgg_small",
]
