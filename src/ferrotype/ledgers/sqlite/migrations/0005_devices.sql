-- On what a worker's engines run, as its recipes name it: a JSON list.
ALTER TABLE worker ADD COLUMN devices TEXT NOT NULL DEFAULT '[]';
