package facility_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gengfu/facility"
)

var orderStates = []facility.OrderState{
	"new", "assigned", "accepted", "arrived", "in_progress", "on_hold",
	"completed", "verified", "closed", "cancelled", "reopened",
}

var orderActions = []facility.OrderAction{
	"create", "assign", "accept", "return", "arrive", "start", "hold", "resume", "complete",
	"verify", "close", "cancel", "reopen", "comment", "photo", "tick", "untick", "recur", "withdraw",
}

// lawfulActs is the life of a work order, action by action: where it may be done,
// and where it leads ("=" stays). It is written independently of the product's
// table, from what people do.
const lawfulActs = `
assign    new assigned accepted arrived in_progress on_hold reopened > assigned
accept    assigned                                                   > accepted
return    assigned accepted                                          > new
arrive    accepted                                                   > arrived
start     arrived                                                    > in_progress
hold      accepted arrived in_progress                               > on_hold
resume    on_hold                                                    > in_progress
complete  arrived in_progress                                        > completed
verify    completed                                                  > verified
close     verified                                                   > closed
reopen    completed verified closed                                  > reopened
cancel    new assigned accepted arrived in_progress on_hold reopened > cancelled
withdraw  new assigned accepted                                      > cancelled
comment   new assigned accepted arrived in_progress on_hold completed verified reopened > =
photo     new assigned accepted arrived in_progress on_hold completed verified reopened > =
tick      accepted arrived in_progress on_hold completed             > =
untick    accepted arrived in_progress on_hold completed             > =
recur     new assigned accepted arrived in_progress on_hold completed reopened          > =
`

// lawful reads lawfulActs into "state action" → next state.
func lawful(t *testing.T) map[string]facility.OrderState {
	t.Helper()
	out := map[string]facility.OrderState{}
	for line := range strings.Lines(strings.TrimSpace(lawfulActs)) {
		left, to, ok := strings.Cut(line, ">")
		words := strings.Fields(left)
		to = strings.TrimSpace(to)
		if !ok || len(words) < 2 || to == "" {
			t.Fatalf("line %q", line)
		}
		for _, from := range words[1:] {
			next := facility.OrderState(to)
			if to == "=" {
				next = facility.OrderState(from)
			}
			out[from+" "+words[0]] = next
		}
	}
	return out
}

func TestOrderApply(t *testing.T) {
	table := lawful(t)
	seen := 0
	for _, s := range append(slices.Clone(orderStates), "", "lost") {
		for _, a := range append(slices.Clone(orderActions), "", "burn") {
			got, err := s.Apply(a)
			want, ok := table[string(s)+" "+string(a)]
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s %s: %s, %v; want %s", s, a, got, err, want)
			case !ok && (!errors.Is(err, facility.ErrUnlawful) || got != s):
				t.Errorf("%s %s: %s, %v; want it to stay and ErrUnlawful", s, a, got, err)
			}
			if ok {
				seen++
			}
		}
	}
	if seen != len(table) {
		t.Errorf("%d of %d lawful acts were tried: a word of the table is misspelt", seen, len(table))
	}
}

func TestOrderOpen(t *testing.T) {
	ended := []facility.OrderState{"verified", "closed", "cancelled"}
	for _, s := range orderStates {
		if s.Open() == slices.Contains(ended, s) {
			t.Errorf("%s open: %v", s, s.Open())
		}
	}
}

// Every state that is open must offer a way on, and every state but cancelled
// must be left somehow: no order may be stuck.
func TestNoOrderIsStuck(t *testing.T) {
	for _, s := range orderStates {
		ways := 0
		for _, a := range orderActions {
			if next, err := s.Apply(a); err == nil && next != s {
				ways++
			}
		}
		if stuck := ways == 0; stuck != (s == facility.OrderCancelled) {
			t.Errorf("%s has %d ways on", s, ways)
		}
	}
}

// who are the people in their relations to an order.
var who = map[string]facility.Person{
	"admin":       {Login: "root", Role: facility.RoleAdmin},
	"manager":     {Login: "wang", Role: facility.RoleManager},
	"desk":        {Login: "li", Role: facility.RoleDesk},
	"technician":  {Login: "zhang", Role: facility.RoleTechnician},
	"other":       {Login: "chen", Role: facility.RoleTechnician},
	"guard":       {Login: "zhao", Role: facility.RoleGuard},
	"viewer":      {Login: "guest", Role: facility.RoleViewer},
	"nobody":      {},
	"no role":     {Login: "x"},
	"disabled":    {Login: "zhang", Role: facility.RoleTechnician, Disabled: true},
	"ex-admin":    {Login: "root", Role: facility.RoleAdmin, Disabled: true},
	"now viewer":  {Login: "zhang", Role: facility.RoleViewer},
	"deskworking": {Login: "zhang", Role: facility.RoleDesk},
}

func TestMayAct(t *testing.T) {
	const (
		site     = "accept return arrive start hold resume complete tick untick"
		dispatch = "assign cancel reopen close"
		add      = "comment photo"
	)
	// The order is assigned to zhang and was made by zhao.
	tests := []struct {
		who, may string
		priority facility.Priority
	}{
		{"admin", "create verify " + dispatch + " " + add, facility.P1},
		{"manager", "create verify " + dispatch + " " + add, facility.P1},
		{"desk", "create verify " + dispatch + " " + add, facility.P1},
		{"technician", "create " + site + " " + add, facility.P1},
		{"technician", "create " + site + " " + add, facility.P4},
		{"other", "create", facility.P1},
		{"guard", "create " + add, facility.P1},
		{"viewer", "", facility.P1},
		{"nobody", "", facility.P1},
		{"no role", "", facility.P1},
		{"disabled", "", facility.P1},
		{"ex-admin", "", facility.P1},
		{"now viewer", "", facility.P1},
		{"deskworking", "create " + dispatch + " " + site + " " + add, facility.P1},
		{"deskworking", "create " + dispatch + " " + site + " " + add, facility.P2},
		{"deskworking", "create verify " + dispatch + " " + site + " " + add, facility.P3},
		{"deskworking", "create verify " + dispatch + " " + site + " " + add, facility.P4},
	}
	for _, tt := range tests {
		o := facility.Order{Assignee: "zhang", CreatedBy: "zhao", Priority: tt.priority}
		may := strings.Fields(tt.may)
		for _, a := range append(slices.Clone(orderActions), "", "burn") {
			if got, want := o.MayAct(who[tt.who], a), slices.Contains(may, string(a)); got != want {
				t.Errorf("%s may %q a %s order: %v, want %v", tt.who, a, tt.priority, got, want)
			}
		}
	}
}

func TestNobodyIsTheAssigneeOfAnUnassignedOrder(t *testing.T) {
	var o facility.Order
	for _, a := range orderActions {
		if o.MayAct(facility.Person{Role: facility.RoleTechnician}, a) {
			t.Errorf("a person without a login may %s", a)
		}
	}
}

func TestActionsAreWhatIsLawfulAndAllowed(t *testing.T) {
	for _, state := range orderStates {
		for name, p := range who {
			o := facility.Order{State: state, Assignee: "zhang", CreatedBy: "zhao", Priority: facility.P2, Checklist: make([]facility.OrderStep, 1)}
			got := o.Actions(p)
			for _, a := range orderActions {
				_, unlawful := state.Apply(a)
				if want := unlawful == nil && o.MayAct(p, a); slices.Contains(got, a) != want {
					t.Errorf("%s of a %s order is offered %v, %s should be: %v", name, state, got, a, want)
				}
			}
		}
	}
}

func TestActionsOfATechnicianOnTheWay(t *testing.T) {
	o := facility.Order{State: facility.OrderAccepted, Assignee: "zhang"}
	got := o.Actions(who["technician"])
	want := []facility.OrderAction{"arrive", "hold", "return", "comment", "photo"}
	if !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
}
