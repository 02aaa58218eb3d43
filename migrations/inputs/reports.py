"""Reports of other programs: which elements they hold for unused, how sure they are, and why.

The format is published as JSON Schema (docs/analyser.schema.json), made from the models here.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from catalog.names import Reason
from migrations.inputs.documents import Document, read_document
from migrations.inputs.entries import Entry
from migrations.inputs.problems import Problem
from migrations.inputs.shapes import Confidence, Shape, Text, fitted

_REASONS = f"why to deprecate it, one of {', '.join(Reason)}"


class ReportedElement(Shape):
    """One element that the analyser holds for unused."""

    element: Annotated[Text, Field(description="an element, such as table:public.users_old")]
    confidence: Annotated[Confidence, Field(description="how sure the analyser is, a number from 0 to 1")]
    evidence: Annotated[Text, Field(description="what was observed, as text for the person who decides")]
    reason: Annotated[Reason, Field(description=_REASONS)] = Reason.UNUSED
    performance_impact: Annotated[
        Text | None, Field(description="what keeping the element costs, as text")
    ] = None


class _Head(Shape):
    version: Annotated[Literal[1], Field(description="the version of this format, 1")]
    analyser: Annotated[Text, Field(description="the name of the program that made the report, as text")]
    database: Annotated[
        Text | None, Field(description="the database that was analysed; any other refuses the report")
    ] = None


class Report(_Head):
    """What an analyser found in one database."""

    model_config = ConfigDict(title="pgattic analyser report")

    elements: Annotated[list[ReportedElement], Field(description="a list of elements")]


class _Outside(_Head):
    # The elements are looked at one by one, so that a bad one does not hide what is wrong with the next.
    elements: Annotated[list[Any], Field(description="a list of elements")]


def schema_text() -> str:
    """The JSON Schema of a report, as docs/analyser.schema.json holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def read_report(path: Path, database: str) -> tuple[list[Entry], list[Problem]]:
    """Read a report on that database: the entries that are well formed, and what is wrong with the others."""
    document = read_document(path)
    outside, problems = fitted(_Outside, document, (), document.value)
    if outside is None:
        return [], problems
    if outside.database not in (None, database):
        what = f"found {outside.database!r}, expected {database!r}, the connected database"
        problems.append(Problem(document.name, document.at(("database",)), what))
    entries = []
    for index, value in enumerate(outside.elements):
        one, misfits = fitted(ReportedElement, document, ("elements", index), value)
        problems += misfits
        if one is not None:
            entries.append(_entry(document, index, one, outside.analyser))
    return entries, problems


def _entry(document: Document, index: int, one: ReportedElement, analyser: str) -> Entry:
    return Entry(
        text=one.element,
        source=document.name,
        place=document.at(("elements", index, "element")),
        origin=f"report of {analyser}",
        reason=one.reason,
        confidence=one.confidence,
        performance_impact=one.performance_impact,
        evidence=(one.evidence,),
    )
