package influx

// WithFlux has the store ask in Flux only, as of a server that takes no InfluxQL.
func WithFlux(s *Store) *Store {
	s.fluxOnly.Store(true)
	return s
}

// InFlux reports whether the store has found that it has to ask in Flux.
func InFlux(s *Store) bool { return s.fluxOnly.Load() }
