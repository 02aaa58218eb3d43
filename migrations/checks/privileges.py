"""What the role needs besides owning the elements."""

from collections.abc import Iterator

from catalog.elements import Kind, quote_identifier
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

# Measured on 15 and 18: these renames want CREATE on the schema; those of columns, constraints without an
# index, enum types and their values do not.
_IN_NAMESPACE = frozenset({Kind.TABLE, Kind.INDEX, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE})


def check(situation: Situation) -> Iterator[Finding]:
    """Renaming a relation needs CREATE on its schema, and every rename is written into the registry."""
    server = situation.server
    for element in situation.elements:
        place = situation.places.get(element)
        needs_create = element.kind in _IN_NAMESPACE or (place is not None and place.index is not None)
        if needs_create and element.schema in server.schemas_not_creatable:
            schema = quote_identifier(element.schema)
            yield Finding(
                "schema-privilege",
                Severity.BLOCK,
                str(element),
                f"cannot be renamed by role {server.role}, which lacks CREATE on schema {schema}",
                f"GRANT CREATE ON SCHEMA {schema} TO {quote_identifier(server.role)}",
            )
    if server.missing_registry_rights:
        rights = ", ".join(server.missing_registry_rights)
        yield Finding(
            "registry-rights",
            Severity.BLOCK,
            "database",
            f"role {server.role} may not write the registry: it lacks {rights}",
            f"Connect as the role that ran `pgattic init`, or grant them to {quote_identifier(server.role)}",
        )
