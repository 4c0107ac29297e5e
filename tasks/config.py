"""What every stage's settings share: frozen, strict, self-documenting."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def _in_declared_order(schema: dict[str, Any]) -> None:
    # Prefect's form sorts fields alphabetically unless each says its position.
    for position, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = position


def _without_suffix(kind: type) -> str:
    return kind.__name__.removesuffix("Config")  # the heading of its fields in Prefect's form


class Config(BaseModel):
    """Settings of one stage: the command line's options and the Prefect form are made from it.

    The docstring under a field is its help text. A misspelt option is an error, never ignored.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        json_schema_extra=_in_declared_order,
        model_title_generator=_without_suffix,
    )
