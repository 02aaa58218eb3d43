"""What the server must have besides its log: a version, counters, the registry, and rights for our role."""

from analytics.health.check import RELOAD, Check, Facts, resets, setting
from analytics.sentences import count, listed
from catalog.database import Database
from catalog.elements import quote_identifier

OLDEST_SERVER = 150000
_AT_MOST = 3


def connection(db: Database) -> Check:
    """That there is one."""
    return Check("connection", True, f"connected to {db.where}", None)


def version(db: Database) -> Check:
    """Whether it is new enough."""
    found = f"PostgreSQL {db.server_version // 10000}.{db.server_version % 10000}"
    if db.server_version < OLDEST_SERVER:
        return Check("server version", False, found, f"Use PostgreSQL {OLDEST_SERVER // 10000} or newer")
    return Check("server version", True, found, None)


def counters(facts: Facts) -> Check:
    """Whether uses are counted."""
    if facts["track_counts"] != "on":
        lines = (setting("track_counts", "on"), RELOAD, *resets(facts, "overridden"))
        return Check(
            "counters", False, "track_counts is off: the server counts no use", "Have it count:", lines
        )
    return Check("counters", True, f"counting since {facts['counting_since'][:16]}", None)


def role_of_server(facts: Facts, configured: int, unread: int) -> Check:
    """Whether it is the primary, and every standby of it is a configured node or is known to be unread."""
    name, standbys = "server role", int(facts["standbys"])
    if facts["in_recovery"] == "true":
        todo = "Point database.dsn at the primary"
        return Check(name, False, "this server is a standby: nothing can be renamed here", todo)
    if standbys > configured + unread:
        finding = (
            f"{count(standbys, 'standby server')} of it, {configured} configured: uses there are logged and"
            " counted there alone, so nothing will be ready"
        )
        todo = "Add a [[nodes]] with name, dsn and logs for each; or set policy.unread_standbys"
        return Check(name, False, finding, todo)
    if standbys:
        finding = f"primary; {count(standbys, 'standby server')}, all of them configured or read by nobody"
        return Check(name, True, finding, None)
    return Check(name, True, "primary, and no standby connected as far as this role may see", None)


def registry(facts: Facts) -> Check:
    """Whether `pgattic init` was here."""
    if facts["registry"] != "true":
        todo = "Run `pgattic init`"
        return Check("registry", False, "the registry (schema pgattic) is not in this database", todo)
    return Check("registry", True, "the registry is in this database", None)


def rights(facts: Facts) -> Check:
    """Whether our role may rename what there is."""
    name, role = "rights", facts["role"]
    if facts["superuser"] == "true":
        return Check(name, True, f"{role} is a superuser", None)
    grantee, lines = quote_identifier(role), []
    if facts["can_create"] != "true" and facts["registry"] != "true":
        database = quote_identifier(facts["database"])
        lines.append(f"GRANT CREATE ON DATABASE {database} TO {grantee};")
    lines += [f"GRANT {owner} TO {grantee};" for owner in facts["owners"].splitlines()]
    not_owned = int(facts["tables_not_owned"])
    if not (lines or not_owned):
        return Check(name, True, f"{role} owns, itself or through a role, all tables", None)
    finding = (
        f"{role} is no superuser and {count(not_owned, 'table')} belong to roles that it is no member of"
    )
    # To make it a member of a superuser would give it everything.
    superusers = facts["tables_of_superusers"].split(", ") if facts["tables_of_superusers"] else []
    todo = ["Give it the rights:"] if lines else []
    if superusers:
        todo.insert(0, f"Give to an owner who is no superuser: {listed(superusers, _AT_MOST)}.")
    return Check(name, False, finding, " ".join(todo), tuple(lines))
