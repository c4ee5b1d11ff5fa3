INSERT INTO judge_part VALUES ('jinxiu', 'rules', 1, x'7B7D');
