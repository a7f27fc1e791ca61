-- When a checkout entered each of its states: kept by the statement that moves it on, so that it costs no other.
ALTER TABLE checkouts ADD COLUMN timeline JSONB DEFAULT '[]' NOT NULL;

CREATE OR REPLACE FUNCTION next_checkout_version() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    IF NEW.state <> OLD.state THEN
        NEW.timeline := OLD.timeline || jsonb_build_object('state', NEW.state, 'at', clock_timestamp());
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION begin_checkout_timeline() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.timeline := jsonb_build_array(jsonb_build_object('state', NEW.state, 'at', clock_timestamp()));
    RETURN NEW;
END $$;

CREATE TRIGGER begin_timeline
    BEFORE INSERT ON checkouts FOR EACH ROW EXECUTE FUNCTION begin_checkout_timeline();

CREATE TABLE checkout_steps (
    checkout_id TEXT NOT NULL,
    activity TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    last_error_at timestamptz,
    done_at timestamptz,
    CONSTRAINT pk_checkout_steps PRIMARY KEY (checkout_id, activity),
    CONSTRAINT ck_checkout_steps_attempts CHECK (attempts > 0)
);
