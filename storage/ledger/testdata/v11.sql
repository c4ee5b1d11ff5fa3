INSERT INTO alarm_event VALUES ('jinxiu', 'e3', 'a1', 1795320060000000000, 'zhang', 'acknowledge', 'unacknowledged', 'acknowledged', 1, '');
