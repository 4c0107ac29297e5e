"""The precision of matrix products, as a closed set."""

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
