"""Lists: YAML or JSON files that name elements, and what `scan --json` printed."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from catalog.names import Reason
from migrations.inputs.documents import Document, Place, read_document
from migrations.inputs.entries import Entry
from migrations.inputs.problems import Problem, shown
from migrations.inputs.shapes import Confidence, Shape, Text, fitted

_REASONS = f"one of {', '.join(Reason)}"
_ELEMENT = "an element or pattern, such as table:public.users_old"


class ListedElement(Shape):
    """An element in a list that says more than its name."""

    element: Annotated[Text, Field(description=_ELEMENT)]
    reason: Annotated[Reason | None, Field(description=_REASONS)] = None
    note: Annotated[Text | None, Field(description="text for those who review the plan")] = None


class ScannedElement(Shape):
    """A candidate as `scan --json` prints it."""

    element: Annotated[Text, Field(description=_ELEMENT)]
    confidence: Annotated[Confidence, Field(description="a number from 0 to 1")]
    reason: Annotated[Text, Field(description="text that says what it is a candidate for")]
    evidence: Annotated[tuple[Text, ...], Field(description="a list of texts")]
    bytes: Annotated[int, Field(strict=True, ge=0, description="a whole number of bytes")]


class _Scan(Shape):
    candidates: Annotated[list[Any], Field(description="a list of candidates")]
    unjudged: Annotated[list[Any], Field(description="a list of texts")] = Field(default_factory=list)


def read_list(path: Path) -> tuple[list[Entry], list[Problem]]:
    """Read a list: the entries that are well formed, and what is wrong with the others."""
    document = read_document(path)
    value = document.value
    if isinstance(value, dict) and "candidates" in value:
        return _scan(document)
    if not isinstance(value, list):
        what = f"found {shown(value)}, expected a list of elements, or what `pgattic scan --json` prints"
        return [], [Problem(document.name, "", what)]
    return _gathered(_listed(document, (index,), item) for index, item in enumerate(value))


def _scan(document: Document) -> tuple[list[Entry], list[Problem]]:
    outside, problems = fitted(_Scan, document, (), document.value)
    if outside is None:
        return [], problems
    return _gathered(
        _scanned(document, ("candidates", index), item) for index, item in enumerate(outside.candidates)
    )


def _listed(document: Document, place: Place, item: Any) -> tuple[Entry | None, list[Problem]]:
    if isinstance(item, str):
        return _entry(document, place, text=item, may_be_pattern=True), []
    if not isinstance(item, dict):
        keys = ", ".join(ListedElement.model_fields)
        what = f"found {shown(item)}, expected {_ELEMENT}, or a mapping with {keys}"
        return None, [Problem(document.name, document.at(place), what)]
    one, problems = fitted(ListedElement, document, place, item)
    if one is None:
        return None, problems
    entry = _entry(
        document,
        (*place, "element"),
        text=one.element,
        reason=one.reason,
        note=one.note,
        may_be_pattern=True,
    )
    return entry, []


def _scanned(document: Document, place: Place, item: Any) -> tuple[Entry | None, list[Problem]]:
    one, problems = fitted(ScannedElement, document, place, item)
    if one is None:
        return None, problems
    entry = _entry(
        document,
        (*place, "element"),
        text=one.element,
        origin=f"scan in {document.name}",
        confidence=one.confidence,
        evidence=(one.reason, *one.evidence),
    )
    return entry, []


def _entry(document: Document, place: Place, **facts: Any) -> Entry:
    facts.setdefault("origin", f"list {document.name}")
    return Entry(source=document.name, place=document.at(place), **facts)


def _gathered(found: Any) -> tuple[list[Entry], list[Problem]]:
    entries, problems = [], []
    for entry, misfits in found:
        problems += misfits
        if entry is not None:
            entries.append(entry)
    return entries, problems
