"""The models, registered by the string that names them: ``id`` on the command line, ``fourcc`` in files."""

from latens.systems.balle2017 import Balle2017
from latens.systems.balle2018 import Balle2018
from latens.systems.base import Model
from latens.systems.latens import Latens, LatensFast
from latens.systems.minnen2018 import Minnen2018

_ALL: tuple[type[Model], ...] = (Balle2017, Balle2018, Minnen2018, Latens, LatensFast)
MODELS: dict[str, type[Model]] = {model.id: model for model in _ALL}

__all__ = ["MODELS", "Balle2017", "Balle2018", "Latens", "LatensFast", "Minnen2018", "Model"]
