-- Times are microseconds since 1970, UTC. Money is nanos, 10^-9 of the currency's unit. A sum is sum + sum_high * 10^18.

CREATE TABLE events (
    seq        INTEGER PRIMARY KEY, -- the order in which they were written; the newest is never deleted, so none comes twice
    gateway    TEXT NOT NULL,
    request    TEXT NOT NULL,
    meter      TEXT NOT NULL,
    consumer   TEXT NOT NULL,
    plan       TEXT NOT NULL,
    route      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    value      INTEGER NOT NULL,
    subject    BLOB,
    dimensions TEXT NOT NULL,       -- a JSON object, its names sorted
    cost       INTEGER NOT NULL     -- what was drawn from credit
) STRICT;
CREATE UNIQUE INDEX events_identity ON events (request, meter, gateway);

CREATE TABLE usage_hours (
    consumer   TEXT NOT NULL,
    meter      TEXT NOT NULL,
    plan       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    count      INTEGER NOT NULL,
    sum        INTEGER NOT NULL,
    sum_high   INTEGER NOT NULL,
    max        INTEGER NOT NULL,
    latest     INTEGER NOT NULL,
    latest_at  INTEGER NOT NULL,
    PRIMARY KEY (consumer, meter, plan, start, dimensions)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_hours_start ON usage_hours (start);

CREATE TABLE usage_days (
    consumer   TEXT NOT NULL,
    meter      TEXT NOT NULL,
    plan       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    count      INTEGER NOT NULL,
    sum        INTEGER NOT NULL,
    sum_high   INTEGER NOT NULL,
    max        INTEGER NOT NULL,
    latest     INTEGER NOT NULL,
    latest_at  INTEGER NOT NULL,
    PRIMARY KEY (consumer, meter, plan, start, dimensions)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_days_start ON usage_days (start);

CREATE VIEW usage AS SELECT * FROM usage_hours UNION ALL SELECT * FROM usage_days;

-- For quotas and for the price of what comes next. `free` is the part of `sum` that was used during a trial.
CREATE TABLE usage_months (
    consumer   TEXT NOT NULL,
    meter      TEXT NOT NULL,
    plan       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    sum        INTEGER NOT NULL,
    sum_high   INTEGER NOT NULL,
    free       INTEGER NOT NULL,
    free_high  INTEGER NOT NULL,
    cost       INTEGER NOT NULL,    -- what was drawn from credit, and what became a debt
    PRIMARY KEY (consumer, meter, plan, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE subject_hours (
    consumer   TEXT NOT NULL,
    meter      TEXT NOT NULL,
    plan       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    subject    BLOB NOT NULL,
    PRIMARY KEY (consumer, meter, plan, start, dimensions, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_hours_start ON subject_hours (start);

CREATE TABLE subject_days (
    consumer   TEXT NOT NULL,
    meter      TEXT NOT NULL,
    plan       TEXT NOT NULL,
    start      INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    subject    BLOB NOT NULL,
    PRIMARY KEY (consumer, meter, plan, start, dimensions, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_days_start ON subject_days (start);

CREATE VIEW subjects AS SELECT * FROM subject_hours UNION ALL SELECT * FROM subject_days;

CREATE TABLE subscriptions (
    consumer   TEXT NOT NULL,
    since      INTEGER NOT NULL,
    plan       TEXT NOT NULL,
    until      INTEGER,             -- NULL while it lasts
    PRIMARY KEY (consumer, since)
) STRICT, WITHOUT ROWID;

-- `drawn` is all that was ever drawn; `forgotten` is the part of it that was drawn by events which are deleted.
CREATE TABLE accounts (
    consumer   TEXT PRIMARY KEY,
    drawn      INTEGER NOT NULL,
    forgotten  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credits (
    kind       TEXT NOT NULL,       -- paid, plan (given by a plan), debt (amount 0, drawn beyond all credit)
    id         TEXT NOT NULL,       -- chosen by whoever pays; PLAN/CONSUMER; CONSUMER
    consumer   TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    drawn      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    expires    INTEGER,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credits_consumer ON credits (consumer);

CREATE TABLE sinks (
    name       TEXT PRIMARY KEY,
    xid        INTEGER NOT NULL,    -- 0: only PostgreSQL orders by transactions
    seq        INTEGER NOT NULL,
    state      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (
    name       TEXT PRIMARY KEY,
    value      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
