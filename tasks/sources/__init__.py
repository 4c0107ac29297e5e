"""Where documents come from: one module per kind of source, and the listing of all of them."""

from .clicks import Click, read_clicks
from .documents import read_documents
from .listing import Listing, list_sources

__all__ = ["Click", "Listing", "list_sources", "read_clicks", "read_documents"]
