package embedded

// Settled returns when what damaged files hold is brought over.
func Settled(s *Store) { s.work.Wait() }
