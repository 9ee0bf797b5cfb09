-- oldest: 1

-- Every time in the ledger comes from here: one clock for all hosts.
CREATE FUNCTION ledger_now() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE
    AS 'SELECT clock_timestamp()';

CREATE TABLE account (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    weight DOUBLE PRECISION NOT NULL DEFAULT 1,
    finish DOUBLE PRECISION NOT NULL DEFAULT 0,  -- where its next turn starts, at the earliest
    open BIGINT NOT NULL DEFAULT 0,              -- its tasks that have not ended, less `freed`
    max_pending BIGINT,
    created_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX account_finish ON account (finish);

-- Ends that are still to be taken from `account.open`: so no end waits for another's commit.
CREATE TABLE freed (account TEXT COLLATE "C" NOT NULL, n BIGINT NOT NULL);
CREATE INDEX freed_by ON freed (account);

CREATE TABLE key (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 BYTEA NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('caller', 'admin')),
    priority INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);

CREATE TABLE secret (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the newest signs
    kid TEXT NOT NULL UNIQUE,
    bytes BYTEA NOT NULL,
    until_at TIMESTAMPTZ
);

-- The most specific row wins; NULL is "any"; no row, no lane. Those that the profile of limits
-- sets stand beside the operator's own, which win.
CREATE TABLE cap (
    account TEXT,
    model TEXT,
    n BIGINT NOT NULL CHECK (n >= 0),
    profile BOOLEAN NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX cap_of ON cap (coalesce(account, ''), coalesce(model, ''), profile);

-- How far a sweep over the open tasks has come after caps changed; a row while one goes on.
CREATE TABLE cap_sweep (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), upto BIGINT NOT NULL);

-- taken = ready + running tasks that hold a slot of the lane.
CREATE TABLE lane (
    account TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    taken BIGINT NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (account, model)
) WITH (fillfactor = 50);

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    models TEXT[] NOT NULL,
    devices TEXT[] NOT NULL,
    life TEXT NOT NULL,     -- by which other processes of its machine see that it ended, or ''
    seen_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);

-- Models of which nothing is claimed for a while.
CREATE TABLE paused (
    model TEXT COLLATE "C" PRIMARY KEY,
    why TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL
);

-- When the last worker of a model went: the start of its being unserved.
CREATE TABLE served (model TEXT PRIMARY KEY, until_at TIMESTAMPTZ NOT NULL);

-- Who does what only one process at a time does, and until when if it says nothing more.
CREATE TABLE leader (
    role TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE task (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    account TEXT COLLATE "C" NOT NULL,
    key TEXT NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    priority INTEGER NOT NULL DEFAULT 0,
    turn DOUBLE PRECISION,  -- PENDING with a turn is ready, without one held
    not_before TIMESTAMPTZ,
    attempt INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    alone BOOLEAN NOT NULL DEFAULT false,
    worker TEXT,
    ticket TEXT,            -- of the last claim: one whose answer was lost is found again by it
    shape TEXT NOT NULL DEFAULT '',
    slot BOOLEAN NOT NULL DEFAULT false,
    total INTEGER NOT NULL,
    attended_until TIMESTAMPTZ,
    stop_at TIMESTAMPTZ,
    submit_at TIMESTAMPTZ NOT NULL,
    first_claim_at TIMESTAMPTZ,
    claim_at TIMESTAMPTZ,
    end_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    code TEXT,
    message TEXT,
    progress DOUBLE PRECISION NOT NULL DEFAULT 0,
    swept TIMESTAMPTZ       -- when it was marked for removal
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX task_next ON task (model, priority DESC, turn, n) INCLUDE (alone)
    WHERE status = 'PENDING' AND turn IS NOT NULL;
CREATE INDEX task_clock ON task (turn) WHERE status = 'PENDING' AND turn IS NOT NULL;
CREATE INDEX task_hold ON task (account, model, priority DESC, n)
    WHERE status = 'PENDING' AND turn IS NULL AND not_before IS NULL;
CREATE INDEX task_due ON task (not_before, model)
    WHERE status = 'PENDING' AND not_before IS NOT NULL;
CREATE INDEX task_held_by ON task (worker) WHERE status = 'RUNNING';
CREATE INDEX task_attended ON task (attended_until)
    WHERE attended_until IS NOT NULL AND stop_at IS NULL AND status IN ('PENDING', 'RUNNING');
CREATE INDEX task_stuck ON task (n) WHERE attempt >= 20 AND status IN ('PENDING', 'RUNNING');
CREATE INDEX task_listing ON task (account, submit_at DESC, n DESC);
CREATE INDEX task_expiry ON task (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE body (
    n BIGINT PRIMARY KEY,
    route TEXT NOT NULL,
    served_by TEXT NOT NULL,
    request_id TEXT NOT NULL,
    refusal_code TEXT,
    refusal_message TEXT,
    asked TEXT NOT NULL     -- JSON; as text, since JSONB has no NUL character
);

CREATE TABLE result (
    n BIGINT PRIMARY KEY,
    made TEXT NOT NULL,
    used JSON NOT NULL,     -- the numbers of its usage
    kid TEXT NOT NULL
);

CREATE TABLE note (n BIGINT PRIMARY KEY, attempt INTEGER NOT NULL, memo BYTEA NOT NULL);

CREATE TABLE event (
    n BIGINT NOT NULL,
    i BIGINT GENERATED ALWAYS AS IDENTITY,
    attempt INTEGER NOT NULL,
    move TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (n, i)
);

CREATE TABLE idempotency (
    account TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_of ON idempotency (n);

-- What receivers have still to be told of tasks that ended: one row an event and receiver.
CREATE TABLE letter (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event TEXT NOT NULL,
    url TEXT NOT NULL,
    task TEXT NOT NULL,     -- copied, since a task may expire before its last letter is brought
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    route TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status TEXT NOT NULL,
    start_at TIMESTAMPTZ,
    end_at TIMESTAMPTZ NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX letter_due ON letter (url, due_at, n);

CREATE TABLE rehearsal (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    rule TEXT NOT NULL,
    strikes INTEGER CHECK (strikes > 0),  -- NULL: without end
    until_at TIMESTAMPTZ
);

-- What tasks used that are forgotten.
CREATE TABLE used (
    day DATE NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    measure TEXT COLLATE "C" NOT NULL,
    amount DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (day, account, key, model, status, measure)
);
