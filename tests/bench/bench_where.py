"""`--where` on indexed fields against the SQL that a person would write for the same: the query alone, one process."""

from __future__ import annotations

import orjson
import pytest
import sqlalchemy as sa
from bench_import import SIZE
from measure import paired

from usermgmt.domains.user import expressions
from usermgmt.domains.user.state import user

pytestmark = pytest.mark.bench

NOW, TODAY = "2026-11-26T00:00:00.000Z", "2026-11-26"
MONTH = "2026-06-01T00:00:00.000Z"
PEERS = {
    'username == "u777"': "username_norm = 'u777'",
    'username.startsWith("u777")': "username_norm >= 'u777' AND username_norm < 'u778'",
    'email == "u777@example.com"': "email_norm = 'u777@example.com'",
    'phone == "+8613900000777"': "phone = '+8613900000777'",
    "id < 1000": "id < 1000",
    'status == "suspended"': "status = 'suspended'",
    'status in ["suspended", "pending"]': "status IN ('suspended', 'pending')",
    'status == "active" && "rare" in tags': "status = 'active' AND id IN "
    "(SELECT user_id FROM user_tag WHERE tag = 'rare')",
    '"common" in tags': "id IN (SELECT user_id FROM user_tag WHERE tag = 'common')",
    f'created_at >= timestamp("{MONTH}")': f"created_at >= '{MONTH}'",
    'valid_until < now + duration("720h")': "valid_until < '2026-12-26T00:00:00.000Z'",
    'status == "suspended" || username == "u777"': "status = 'suspended' OR username_norm = 'u777'",
    'external_ids.hr == "777"': "id IN "
    "(SELECT user_id FROM user_external_id WHERE system = 'hr' AND external_id = '777')",
}
"""What is asked, and the condition written by hand."""


def users(folder):
    """Write the file of users: every hundredth suspended, every thousandth tagged rare, created over a year."""
    path = folder / "users.ndjson"
    with path.open("wb") as file:
        for n in range(SIZE):
            record = {
                "username": f"u{n}",
                "email": f"u{n}@example.com",
                "phone": f"+86139{n:08d}",
                "status": "suspended" if n % 100 == 0 else "active",
                "tags": ["common"] * (n % 4 == 0) + ["rare"] * (n % 1000 == 1),
                "external_ids": {"hr": str(n)} if n % 10 == 7 else {},
                "created_at": f"2026-{1 + n % 12:02d}-{1 + n % 28:02d}T00:00:00Z"
                if n % 12 < 10
                else "2025-12-31T00:00:00Z",
                "valid_until": "2026-12-10T00:00:00Z" if n % 500 == 0 else None,
            }
            file.write(orjson.dumps(record) + b"\n")
    return path


@pytest.mark.timeout(3000)
def test_where(run, tmp_path):
    run(["import", "users", str(users(tmp_path)), "-q"])
    module = None
    if run.engine == "sqlite":
        import sqlcipher3.dbapi2 as module
    url = run.url if run.engine == "postgresql" else f"sqlite:///{run.url}"
    engine = sa.create_engine(url, **({"module": module} if module else {}))
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE") if run.engine == "postgresql" else None
        print(f"\n{SIZE} users, {run.engine}; ratio: ours by hand-written")
        for source, by_hand in PEERS.items():
            condition = expressions.rule(source, expressions.schema(NOW, TODAY), "--where").condition
            ours = sa.select(user.c.id, user.c.username, user.c.status).where(condition).order_by(user.c.id)
            peer = sa.text(f'SELECT id, username, status FROM "user" WHERE {by_hand} ORDER BY id')
            found = len(connection.execute(ours).all())
            assert found == len(connection.execute(peer).all()), source
            paired(
                f"{source} ({found} users)",
                lambda query=ours: connection.execute(query).all(),
                {"by hand": lambda query=peer: connection.execute(query).all()},
            )
    engine.dispose()
