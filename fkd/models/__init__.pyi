from .network import Network, as_input, build
from .published import read_public_weights
from .resnet18 import ResNet18
from .shipped import shipped
from .signet import SigNet
from .weights import checksum, load, save
