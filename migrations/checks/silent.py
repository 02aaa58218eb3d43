"""Would somebody's use fail without anybody hearing of it?"""

import re
from collections.abc import Iterator

from catalog.elements import Element, Kind
from catalog.objects import Function
from ingest.grammar.bodies import Body, read_body
from migrations.checks.function_bodies import mentioning, surely_unrelated
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_ASKS = re.compile(
    r"\b(to_reg(class|type)|information_schema|pg_class|pg_tables|pg_attribute|pg_type)\b", re.IGNORECASE
)
_SWALLOWS = re.compile(r"\bwhen\b[^;]*\b(undefined_\w+|others)\b", re.IGNORECASE)


def check(situation: Situation) -> Iterator[Finding]:
    """Functions that make the name anew, ask whether it is there, or swallow that it is not."""
    for element in situation.elements:
        for function in mentioning(situation, element):
            if surely_unrelated(situation.snapshot, function, element):
                continue
            body = read_body(function.language, function.body or "")
            for said in _patterns(element, function, body):
                yield Finding(
                    "silent-failure",
                    Severity.BLOCK,
                    str(element),
                    f"function {function.schema}.{function.name} {said}: no error would show its use",
                    "Change the function first; this use would never be seen",
                )


def _patterns(element: Element, function: Function, body: Body | None) -> Iterator[str]:
    text = f"{body.code}\n{body.constants}" if body else function.body or ""
    code = body.code if body else text
    name = re.escape(element.name)
    named = rf'(?:\w+\s+)?(?:"?\w+"?\s*\.\s*)?"?{name}"?(?!\w)'
    if re.search(rf"\bIF\s+NOT\s+EXISTS\s+{named}", text, re.IGNORECASE):
        yield "creates it IF NOT EXISTS, and so would make an empty one under the former name"
    elif re.search(rf"\bIF\s+EXISTS\s+{named}", text, re.IGNORECASE):
        yield "names it with IF EXISTS, and so would do nothing"
    if _ASKS.search(code) and body and re.search(rf"(?<!\w){name}(?!\w)", body.constants, re.IGNORECASE):
        yield "asks the catalog whether it is there"
    if _SWALLOWS.search(code):
        yield "handles the error that it would get"
    if element.kind is Kind.COLUMN and re.search(rf"->>?\s*'{name}'", function.body or ""):
        yield "takes it out of a row made into JSON, where it would be NULL"
