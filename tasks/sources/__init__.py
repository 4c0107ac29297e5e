"""Where documents come from: one module per kind of source, and the listing of all of them."""

from .documents import read_documents
from .listing import Listing, list_sources, read_sources

__all__ = ["Listing", "list_sources", "read_documents", "read_sources"]
