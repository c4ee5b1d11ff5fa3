INSERT INTO work_order VALUES ('jinxiu', 'o1', '20261122-0001', 'fault/pump-1', 'alarm', '水泵故障', 'Pump fault', '', '', 'pump-1', 'pump-room',
    'P1', 'assigned', 'zhang', 1, 'system', 1795320000000000000, NULL, 1795320000000000000, NULL, NULL, NULL, NULL, NULL, NULL, 0, 2, 2, '水泵故障');
INSERT INTO order_number VALUES ('jinxiu', '20261122', 1);
INSERT INTO photo VALUES ('jinxiu', 'p1', 'o1', 'image/jpeg', 'zhang', 1795320000000000000, x'FFD8');
INSERT INTO order_event VALUES ('jinxiu', 'e1', 'o1', 1, 1795320000000000000, 'system', 'create', '', 'new', '', '', NULL);
INSERT INTO order_event VALUES ('jinxiu', 'e2', 'o1', 2, 1795320000000000000, 'system', 'photo', 'new', 'new', '', '', 'p1');
INSERT INTO alarm VALUES ('jinxiu', 'a1', 'fault/pump-1', 'fault', 'pump-1', 'pump-room', '', '', '水泵故障', '', '', '', 'P1', 'unacknowledged', 0, 1, '', 1,
    1795320000000000000, 1795320000000000000, NULL, NULL, '', '', 'o1');
INSERT INTO alarm_event VALUES ('jinxiu', 'e1', 'a1', 1795320000000000000, 'system', 'raise', 'normal', 'unacknowledged', 1, '');
