-- What to do and to bring for a work order, who ticked which step, and lines of a
-- history that stand for many occurrences of a fault. The actions of the history get
-- their column anew, because a check cannot be changed.

-- +goose Up
ALTER TABLE work_order ADD COLUMN checklist TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(checklist));
ALTER TABLE work_order ADD COLUMN bring TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bring));
ALTER TABLE work_order ADD COLUMN noted INTEGER NOT NULL DEFAULT 1 CHECK (noted >= 1);
ALTER TABLE work_order ADD COLUMN noted_at INTEGER;
UPDATE work_order SET noted = occurrences, noted_at = last_at;

DROP TRIGGER order_event_no_update;
ALTER TABLE order_event ADD COLUMN step INTEGER NOT NULL DEFAULT 0 CHECK (step >= 0);
ALTER TABLE order_event ADD COLUMN times INTEGER NOT NULL DEFAULT 0 CHECK (times >= 0);
ALTER TABLE order_event ADD COLUMN act TEXT NOT NULL DEFAULT 'create'
    CHECK (act IN ('create', 'assign', 'accept', 'return', 'arrive', 'start', 'hold', 'resume', 'complete', 'verify', 'close', 'cancel', 'reopen', 'comment', 'photo', 'tick', 'untick', 'recur', 'withdraw'));
UPDATE order_event SET act = action, times = CASE action WHEN 'recur' THEN 1 ELSE 0 END;
ALTER TABLE order_event DROP COLUMN action;
ALTER TABLE order_event RENAME COLUMN act TO action;
-- +goose StatementBegin
CREATE TRIGGER order_event_no_update BEFORE UPDATE ON order_event
BEGIN
    SELECT RAISE(ABORT, 'the history of an order is only ever added to');
END;
-- +goose StatementEnd
