INSERT INTO notice VALUES ('jinxiu', 'n1', 1795320000000000000, 'P1', 0, 1);
INSERT INTO notice_alarm VALUES ('jinxiu', 'n1', 0, 'a1', 'fault/pump-1', '水泵故障', 'Pump fault', 'P1', 0, 3);
