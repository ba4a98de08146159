-- The outbox of custsync: changes of customers that wait to be published.
-- It may be applied again; it needs PostgreSQL 14 or newer. All of it goes into
-- the first schema of search_path.

-- What waits. Whoever changes a customer inserts shop, customer, and data (or
-- deleted) in the same transaction; the trigger below sets the rest.
CREATE TABLE IF NOT EXISTS custsync_outbox (
    id         bigint      PRIMARY KEY,      -- the order of a customer's changes
    shop       text        NOT NULL,
    customer   text        NOT NULL,         -- the shop's id of the customer
    version    bigint      NOT NULL CHECK (version >= 100000000000000), -- microseconds since 1970
    deleted    boolean     NOT NULL DEFAULT false,
    data       jsonb       CHECK (deleted OR data IS NOT NULL),         -- the customer's whole state
    created_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Not an identity: ids must be taken by the trigger, after the customer's lock.
CREATE SEQUENCE IF NOT EXISTS custsync_outbox_id AS bigint OWNED BY custsync_outbox.id;

-- What was set aside, since no worker could use it, until a person decides.
CREATE TABLE IF NOT EXISTS custsync_outbox_refused (
    LIKE custsync_outbox,
    reason     text        NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id)
);

-- The last version of customers that changed lately. Its rows are the locks that
-- bring a customer's changes into the order in which they are committed.
CREATE TABLE IF NOT EXISTS custsync_outbox_versions (
    shop     text   NOT NULL,
    customer text   NOT NULL,
    version  bigint NOT NULL,
    PRIMARY KEY (shop, customer)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Whoever may insert into the outbox needs no right to what this touches.
CREATE OR REPLACE FUNCTION custsync_outbox_arrange() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    now_us bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000);
BEGIN
    -- Waits for any other transaction that changes this customer. So the version
    -- and the id, taken afterwards, are above those of all that was committed
    -- before, even where the clock stands still or steps back.
    INSERT INTO custsync_outbox_versions AS v (shop, customer, version)
        VALUES (NEW.shop, NEW.customer, coalesce(NEW.version, now_us))
        ON CONFLICT (shop, customer) DO UPDATE
        SET version = greatest(v.version + CASE WHEN NEW.version IS NULL THEN 1 ELSE 0 END, coalesce(NEW.version, now_us))
        RETURNING coalesce(NEW.version, v.version) INTO NEW.version;
    NEW.id := nextval('custsync_outbox_id');
    NEW.created_at := clock_timestamp();
    PERFORM pg_notify('custsync_outbox', ''); -- once a transaction, at its commit
    RETURN NEW;
END
$$;

-- Temporary tables come last: else whoever may insert could put one of the same
-- name, with a trigger of their own, in the way of the owner's rights.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION custsync_outbox_arrange() SET search_path = %I, pg_temp', current_schema());
END $$;

CREATE OR REPLACE TRIGGER custsync_outbox_arrange
    BEFORE INSERT ON custsync_outbox FOR EACH ROW EXECUTE FUNCTION custsync_outbox_arrange();
