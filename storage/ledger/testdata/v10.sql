INSERT INTO rule_version VALUES ('jinxiu', 'pump-fault', 1, 1795320000000000000, 'zhang', 'too many at night', 'id: pump-fault');
