"""Shapes: values of a document held against a model, with every misfit told in the words of its reader."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migrations.inputs.documents import Document, Place
from migrations.inputs.problems import Problem, shown

Text = Annotated[str, Field(strict=True, min_length=1)]
Confidence = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class Shape(BaseModel):
    """A mapping whose unknown keys are errors; the description of a field is what its errors expect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Shape)


def fitted(
    shape: type[Model], document: Document, place: Place, value: Any
) -> tuple[Model | None, list[Problem]]:
    """The value in that shape, or every place where it does not fit."""
    try:
        return shape.model_validate(value), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        return None, [_problem(shape, document, place, dict(one)) for one in found]


def _problem(shape: type[Shape], document: Document, place: Place, error: dict[str, Any]) -> Problem:
    inside: Place = tuple(error["loc"])
    keys = ", ".join(shape.model_fields)
    # The innermost name of a location is the key; numbers are places within its list.
    key = next((part for part in reversed(inside) if isinstance(part, str)), "")
    field = shape.model_fields.get(key)
    expected = (field.description if field else None) or f"a mapping with {keys}"
    match error["type"]:
        case "missing":
            inside, what = inside[:-1], f"key {key!r} is missing, expected {expected}"
        case "extra_forbidden":
            inside, what = inside[:-1], f"unknown key {key!r}, expected {keys}"
        case _:
            what = f"found {shown(error['input'])}, expected {expected}"
    return Problem(document.name, document.at((*place, *inside)), what)
