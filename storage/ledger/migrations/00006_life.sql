-- Alarms that latch. The column is made anew because a check cannot be changed, and in
-- place because the history refers to the table.

-- +goose Up
DROP INDEX alarm_standing_key;
ALTER TABLE alarm ADD COLUMN base TEXT NOT NULL DEFAULT 'normal'
    CHECK (base IN ('normal', 'unacknowledged', 'acknowledged', 'returned', 'latched_unacknowledged', 'latched_acknowledged'));
UPDATE alarm SET base = state;
ALTER TABLE alarm DROP COLUMN state;
ALTER TABLE alarm RENAME COLUMN base TO state;
CREATE UNIQUE INDEX alarm_standing_key ON alarm (site, key) WHERE state <> 'normal';
