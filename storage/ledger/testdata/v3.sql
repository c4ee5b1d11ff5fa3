INSERT INTO tap VALUES ('jinxiu', 't1', 'reader', 'r1', '04A035B2', '', '', 1795320000000000000, NULL, NULL, 'gate', 'zhang', '', '', 'no_round');
INSERT INTO patrol_round VALUES ('jinxiu', 'night@x', 'night', 'night', '夜巡', 'Night', 1795320000000000000, 1795322700000000000, 600000000000, 0, 0, '', 'missed');
INSERT INTO visit VALUES ('jinxiu', 'night@x', 0, 'gate', 'missed', 0, '', NULL, '', 0);
