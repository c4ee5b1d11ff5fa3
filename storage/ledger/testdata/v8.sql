INSERT INTO alarm_hold VALUES ('jinxiu', 'fault/pump-1', 'shelved', 'zhang', '等配件', '', NULL, 1795320000000000000, 1795327200000000000, 1);
INSERT INTO alarm_hold VALUES ('jinxiu', 'fire/panel', 'out_of_service', 'zhang', '', '', 'o1', 1795320000000000000, NULL, 0);
INSERT INTO hold_event VALUES ('jinxiu', 'h1', 'fault/pump-1', 'a1', 1795320000000000000, 'zhang', 'shelve', '等配件', '', NULL, 1795327200000000000);
