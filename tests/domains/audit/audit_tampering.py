"""What somebody who can write to the store can do to its log: with more and more knowledge of the format."""

from __future__ import annotations

from usermgmt.kernel.audit.format import chain, commitment, genesis
from usermgmt.kernel.audit.frontier import Frontier

FACTS = "at, change_id, actor, via, action, target, outcome, body, commits"


def last(run):
    return run.sql("SELECT max(seq) FROM audit_entry")[0][0]


def rechain(run):
    """Hash the whole log anew, as somebody who knows the format would after an edit, head and frontier included."""
    store_id = run.sql("SELECT store_id FROM store_meta")[0][0]
    rows = run.sql(f"SELECT {FACTS} FROM audit_entry ORDER BY seq")
    seqs = [row[0] for row in run.sql("SELECT seq FROM audit_entry ORDER BY seq")]
    hashes = chain(genesis(store_id), 1, rows)
    for seq, digest in zip(seqs, hashes, strict=True):
        run.sql("UPDATE audit_entry SET hash = ? WHERE seq = ?", digest.hex(), seq)
    tree = Frontier()
    tree.extend(hashes)
    head = (len(hashes), hashes[-1].hex(), tree.dump())
    run.sql("UPDATE audit_head SET seq = ?, hash = ?, frontier = ?", *head)


def cut(run, first):
    """Take away the entries from ``first`` on."""
    run.sql("DELETE FROM audit_pii WHERE seq >= ?", first)
    run.sql("DELETE FROM audit_entry WHERE seq >= ?", first)


def recommit(run, seq, body):
    """Put another personal part into an entry, with a commitment that fits."""
    subject, salt = run.sql("SELECT subject, salt FROM audit_pii WHERE seq = ?", seq)[0]
    run.sql("UPDATE audit_pii SET body = ? WHERE seq = ?", body, seq)
    run.sql("UPDATE audit_entry SET commits = ? WHERE seq = ?", commitment(bytes.fromhex(salt), subject, body), seq)


def findings(run, options="", **more):
    """Verify, which must fail, and return what was found."""
    result = run(f"audit verify --json {options}", exit=12, **more)
    found = result.json
    assert found["holds"] is False
    assert found["problems"] == len(found["findings"]) > 0
    assert result.error["exit_code"] == 12
    assert result.error["details"]["findings"] == found["findings"]
    return found["findings"]


def holds(run, options="", **more):
    """Verify, which must succeed, and return the result."""
    found = run(f"audit verify --json {options}", **more).json
    assert found["holds"] is True
    assert found["findings"] == []
    return found


def append(run, action, target, body="{}", *, outcome="ok"):
    """Append an entry that fits the chain, as somebody who knows the format and has no key can."""
    seq, hash_, frontier = run.sql("SELECT seq, hash, frontier FROM audit_head")[0]
    facts = ("2031-06-01T00:00:00.000Z", "x", "owner", "{}", action, target, outcome, body, "")
    (digest,) = chain(bytes.fromhex(hash_), seq + 1, [facts])
    tree = Frontier.load(seq, frontier)
    tree.append(digest)
    marks = ", ".join("?" * 11)
    run.sql(f"INSERT INTO audit_entry (seq, {FACTS}, hash) VALUES ({marks})", seq + 1, *facts, digest.hex())
    run.sql("UPDATE audit_head SET seq = ?, hash = ?, frontier = ?", seq + 1, digest.hex(), tree.dump())


def base_at(run, n):
    """The base that a prune up to entry `n` would leave: number, hash and frontier."""
    hashes = [row[0] for row in run.sql("SELECT hash FROM audit_entry WHERE seq <= ? ORDER BY seq", n)]
    tree = Frontier()
    tree.extend(map(bytes.fromhex, hashes))
    return n, hashes[-1], tree


def cut_head(run, n):
    """Take away the entries up to `n`."""
    run.sql("DELETE FROM audit_pii WHERE seq <= ?", n)
    run.sql("DELETE FROM audit_entry WHERE seq <= ?", n)
