"""Integers to bytes and back: probability tables and the range coder. No float decides anything here.

::

    tables.py    Tables: integer masses that sum to 2^16; integer_table makes one from a pmf, at export
    coder.py     Encoder and Decoder: symbols with table numbers, in any number of passes
    escapes.py   symbols outside their table, as distances past its edge
    check.py     SymbolsCheck: the checksum of decoded symbols that a file carries

The bytes are specified in docs/format.md, section Payloads; constriction writes and reads them fast.
"""

from latens.coding.check import SymbolsCheck
from latens.coding.coder import Decoder, Encoder
from latens.coding.tables import Tables, integer_table

__all__ = ["Decoder", "Encoder", "SymbolsCheck", "Tables", "integer_table"]
