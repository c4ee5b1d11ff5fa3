INSERT INTO site VALUES ('jinxiu', '锦绣花园', 'Jinxiu Garden', 'Asia/Shanghai');
INSERT INTO person VALUES ('jinxiu', 'zhang', '张师傅', 'technician', '138', 0, 'hash', 1795320000000000000);
INSERT INTO badge VALUES ('jinxiu', '04A035B2', 'zhang');
INSERT INTO session VALUES ('jinxiu', 'abc', 'zhang', 1795320000000000000, 1797912000000000000, 'Firefox');
INSERT INTO audit VALUES ('jinxiu', 'u1', 1795320000000000000, 'zhang', 'sign_in', '', '');
