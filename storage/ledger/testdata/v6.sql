INSERT INTO alarm (site, id, key, rule, device, place, checkpoint, round, title_zh, title_en, advice_zh, advice_en, priority, state, is_unknown, value, unit,
    occurrences, raised_at, last_at, cleared_at, acked_at, acked_by, ack_note, order_id)
VALUES ('jinxiu', 'a2', 'fire/panel', 'fire', 'panel', '', '', '', '火警', '', '', '', 'P1', 'latched_unacknowledged', 0, 1, '', 1,
    1795320000000000000, 1795320000000000000, 1795320000000000000, NULL, '', '', NULL);
