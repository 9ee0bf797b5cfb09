-- What is to be rehearsed takes the place of the one-shot faults that tests planted.
DROP TABLE planted;

CREATE TABLE rehearsal (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    strikes INTEGER CHECK (strikes > 0),  -- NULL: without end
    until_at INTEGER,
    made_at INTEGER NOT NULL
) STRICT;
