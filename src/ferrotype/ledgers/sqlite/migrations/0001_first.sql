-- Times are microseconds since the epoch, by the ledger's clock. JSON is text.

CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    weight REAL NOT NULL DEFAULT 1,
    finish REAL NOT NULL DEFAULT 0,   -- where its next turn starts, at the earliest
    open INTEGER NOT NULL DEFAULT 0,  -- its tasks that have not ended
    max_pending INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX account_finish ON account (finish);

CREATE TABLE key (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('caller', 'admin')),
    priority INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE secret (
    kid TEXT PRIMARY KEY,
    bytes BLOB NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER
) STRICT;

-- The most specific row wins; NULL is "any"; no row, no lane.
CREATE TABLE cap (account TEXT, model TEXT, n INTEGER NOT NULL CHECK (n >= 0)) STRICT;
CREATE UNIQUE INDEX cap_of ON cap (coalesce(account, ''), coalesce(model, ''));

-- taken = ready + running tasks that hold a slot of the lane.
CREATE TABLE lane (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    taken INTEGER NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (account, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    models TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

-- When the last worker of a model went: the start of its being unserved.
CREATE TABLE served (model TEXT PRIMARY KEY, until_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE task (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    priority INTEGER NOT NULL DEFAULT 0,
    turn REAL,            -- PENDING with a turn is ready, without one held
    not_before INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    shape TEXT NOT NULL DEFAULT '',
    slot INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL,
    attended_until INTEGER,
    stop_at INTEGER,
    submit_at INTEGER NOT NULL,
    first_claim_at INTEGER,
    claim_at INTEGER,
    end_at INTEGER,
    expires_at INTEGER,
    code TEXT,
    message TEXT,
    progress REAL NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX next ON task (model, priority DESC, turn, n, alone)
    WHERE status = 'PENDING' AND turn IS NOT NULL;
CREATE INDEX clock ON task (turn) WHERE status = 'PENDING' AND turn IS NOT NULL;
CREATE INDEX hold ON task (account, model, priority DESC, n)
    WHERE status = 'PENDING' AND turn IS NULL AND not_before IS NULL;
CREATE INDEX due ON task (not_before, model) WHERE status = 'PENDING' AND not_before IS NOT NULL;
CREATE INDEX held_by ON task (worker) WHERE status = 'RUNNING';
CREATE INDEX attended ON task (attended_until)
    WHERE attended_until IS NOT NULL AND stop_at IS NULL AND status IN ('PENDING', 'RUNNING');
CREATE INDEX listing ON task (account, submit_at DESC, n DESC);
CREATE INDEX expiry ON task (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE body (
    n INTEGER PRIMARY KEY,
    route TEXT NOT NULL,
    served_by TEXT NOT NULL,
    request_id TEXT NOT NULL,
    refusal_code TEXT,
    refusal_message TEXT,
    asked TEXT NOT NULL
) STRICT;

CREATE TABLE result (n INTEGER PRIMARY KEY, made TEXT NOT NULL) STRICT;

CREATE TABLE note (n INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, memo BLOB NOT NULL) STRICT;

CREATE TABLE event (
    n INTEGER NOT NULL,
    i INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    move TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (n, i)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_of ON idempotency (n);

-- One-shot faults that tests asked for.
CREATE TABLE planted (i INTEGER PRIMARY KEY, code TEXT NOT NULL, place TEXT NOT NULL) STRICT;
