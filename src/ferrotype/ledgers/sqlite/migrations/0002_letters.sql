-- What receivers have still to be told of tasks that ended: one row an event and receiver.
CREATE TABLE letter (
    n INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: a courier may know it still
    event TEXT NOT NULL,   -- the same id for every receiver and every try
    url TEXT NOT NULL,
    task TEXT NOT NULL,    -- copied, since a task may expire before its last letter is brought
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    route TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status TEXT NOT NULL,
    start_at INTEGER,
    end_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX letter_due ON letter (url, due_at, n);

-- Caps that the profile of limits sets stand beside the operator's own, which win.
ALTER TABLE cap ADD COLUMN profile INTEGER NOT NULL DEFAULT 0;
DROP INDEX cap_of;
CREATE UNIQUE INDEX cap_of ON cap (coalesce(account, ''), coalesce(model, ''), profile);
