INSERT INTO provisioned VALUES ('jinxiu', 'place', 'gate', 1795320000000000000, NULL, 'hash', '东门', 'East gate', '{}');
