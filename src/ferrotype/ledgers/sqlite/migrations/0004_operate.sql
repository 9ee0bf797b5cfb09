-- Models of which nothing is claimed for a while.
CREATE TABLE paused (
    model TEXT PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The numbers of a result's usage, as a JSON object.
ALTER TABLE result ADD COLUMN used TEXT NOT NULL DEFAULT '{}';

-- What tasks used that are forgotten; `day` is the number of days since the epoch.
CREATE TABLE used (
    day INTEGER NOT NULL,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    measure TEXT NOT NULL,
    amount REAL NOT NULL,
    PRIMARY KEY (day, account, key, model, status, measure)
) STRICT, WITHOUT ROWID;
