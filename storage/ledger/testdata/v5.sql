INSERT INTO judge_state VALUES ('jinxiu', 'rules', x'7B7D', 1795320000000000000);
INSERT INTO journal_cursor VALUES ('jinxiu', 'judge', 42);
