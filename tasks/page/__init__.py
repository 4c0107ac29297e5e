"""The dataset as a page that people read: one content, two renderings."""
