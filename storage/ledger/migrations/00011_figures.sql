-- The figures ask for what happened to alarms within a period, whichever they were.

-- +goose Up
CREATE INDEX alarm_event_at ON alarm_event (site, at, alarm);
