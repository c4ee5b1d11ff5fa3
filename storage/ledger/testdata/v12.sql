UPDATE work_order SET checklist = '[{"text":{"zh":"停泵","en":"Stop the pump"},"by":"zhang","at":"2026-11-22T04:00:00Z"}]', bring = '[{"zh":"密封","en":"seal"}]' WHERE id = 'o1';
INSERT INTO order_event (site, id, order_id, version, at, actor, action, from_state, to_state, note, target, photo, step, times)
    VALUES ('jinxiu', 'e3', 'o1', 3, 1795320000000000000, 'zhang', 'tick', 'accepted', 'accepted', '', '', NULL, 1, 0);
