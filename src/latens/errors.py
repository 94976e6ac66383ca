"""Every error latens raises on purpose, as one tree.

::

    LatensError                     exit code 1
    ├── UsageError                  exit code 2: the call itself is wrong (an unknown option value, say)
    ├── FileError                   what is wrong with a .ltn file
    │   ├── NotLatensError            the magic bytes are not there
    │   ├── NewerVersionError         written by a later version of the format
    │   ├── FormatError               a field breaks a rule of docs/format.md
    │   ├── TruncatedError            the file ends before its data does
    │   ├── ChecksumError             the bytes are not those that were written
    │   ├── UnknownModelError         the model is not one this installation knows
    │   ├── WeightsError              the model is known, its weights' fingerprint is not
    │   └── DriftError                the bytes are whole, but decoded to other symbols than were encoded
    ├── PictureError                what is wrong with a picture to encode
    │   ├── UnreadablePictureError    no picture could be read from the source
    │   ├── UnsupportedPictureError   a mode, depth or size latens does not encode (yet)
    │   └── TooLargeError             more pixels than --max-pixels
    ├── TargetError                 no file of the wanted size, rate or fidelity can be made
    ├── OutputError                 the result could not be written
    │   ├── ExistsError               the target exists and overwriting was not asked for
    │   └── DiskFullError             no space left
    ├── InexactError                a probability network whose sums are not proven exact
    ├── TrainingError               data, checkpoint or options of a training run
    └── MissingExtraError           an optional dependency is not installed

A message is one line with the value found and the rule it broke. The command line prints it without a
traceback and exits with the class's ``exit_code``.
"""


class LatensError(Exception):
    """Base of all errors latens raises on purpose."""

    exit_code = 1


class UsageError(LatensError):
    """The call itself is wrong."""

    exit_code = 2


class FileError(LatensError):
    """Something is wrong with a .ltn file."""


class NotLatensError(FileError):
    """The magic bytes are not there."""


class NewerVersionError(FileError):
    """The file was written by a later version of the format."""


class FormatError(FileError):
    """A field breaks a rule of the format."""


class TruncatedError(FileError):
    """The file ends before its data does."""


class ChecksumError(FileError):
    """The bytes are not those that were written."""


class UnknownModelError(FileError):
    """The file names a model that this installation does not know."""


class WeightsError(FileError):
    """The file names weights, by fingerprint, that this installation does not have."""


class DriftError(FileError):
    """The bytes are whole, but they decoded to other symbols than were encoded."""


class InexactError(LatensError):
    """The sums of a probability network are not proven to be exact, so machines might disagree."""


class PictureError(LatensError):
    """Something is wrong with a picture to encode."""


class UnreadablePictureError(PictureError):
    """No picture could be read from the source."""


class UnsupportedPictureError(PictureError):
    """A mode, depth or size that latens does not encode."""


class TooLargeError(PictureError):
    """The picture has more pixels than allowed."""


class TargetError(LatensError):
    """No file of the wanted size, rate or fidelity can be made."""


class OutputError(LatensError):
    """The result could not be written."""


class ExistsError(OutputError):
    """The target exists and overwriting was not asked for."""


class DiskFullError(OutputError):
    """No space is left for the result."""


class TrainingError(LatensError):
    """The data, the checkpoint or the options of a training run are wrong."""


class OptionsError(TrainingError, UsageError):
    """An option of a training run breaks a rule."""


class MissingExtraError(LatensError):
    """An optional dependency is not installed; the message says which extra brings it."""
