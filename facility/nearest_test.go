package facility

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"outlet_pressure", "running", "fault", "timeout", "pump-room"}
	for _, tt := range []struct{ word, want string }{
		{"outlet_presure", "outlet_pressure"},
		{"time_out", "timeout"},
		{"pumproom", "pump-room"},
		{"runing", "running"},
		{"fault", "fault"},
		{"fualt", "fault"},
		{"level", ""},
		{"", ""},
	} {
		if got := Nearest(tt.word, names); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
