"""The models, registered by the string that names them: ``id`` on the command line, ``fourcc`` in files."""

from latens.systems.balle2017 import Balle2017
from latens.systems.base import Model

MODELS: dict[str, type[Model]] = {model.id: model for model in (Balle2017,)}

__all__ = ["MODELS", "Balle2017", "Model"]
