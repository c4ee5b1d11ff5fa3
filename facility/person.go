package facility

import (
	"fmt"
	"time"
)

// Role is what a person may do.
type Role string

// The roles.
const (
	RoleAdmin      Role = "admin"
	RoleManager    Role = "manager"
	RoleDesk       Role = "desk"
	RoleTechnician Role = "technician"
	RoleGuard      Role = "guard"
	RoleViewer     Role = "viewer"
)

// Roles lists them all.
var Roles = []Role{RoleAdmin, RoleManager, RoleDesk, RoleTechnician, RoleGuard, RoleViewer}

// Permission is one thing that a role allows or not.
type Permission string

// The permissions. What may be done to a work order is decided by Order.MayAct.
const (
	SeeEstate        Permission = "see_estate"        // overview, devices, charts, alarms
	SeeAllOrders     Permission = "see_all_orders"    // without it: one's own
	SeePatrol        Permission = "see_patrol"        // all rounds; without it: one's own taps
	AcknowledgeAlarm Permission = "acknowledge_alarm" // and reset one that is latched
	HoldAlarm        Permission = "hold_alarm"        // shelve, take out of service; a technician also for an order of one's own, without it
	SeeFigures       Permission = "see_figures"       // how many alarms there were, and how people fared
	EditRules        Permission = "edit_rules"        // what counts as wrong; without it they can be read and tried
	CreateOrder      Permission = "create_order"      //
	MakeTap          Permission = "make_tap"          // from a phone
	ImportTaps       Permission = "import_taps"       // the dumps of patrol wands
	ManagePeople     Permission = "manage_people"     //
	SeeAudit         Permission = "see_audit"         //
	SeeHealth        Permission = "see_health"        // journal, streams, lines
)

// Permissions lists them all.
var Permissions = []Permission{
	SeeEstate, SeeAllOrders, SeePatrol, AcknowledgeAlarm, HoldAlarm, SeeFigures, EditRules, CreateOrder, MakeTap, ImportTaps, ManagePeople, SeeAudit, SeeHealth,
}

var granted = map[Role]map[Permission]bool{
	RoleAdmin:      set(SeeEstate, SeeAllOrders, SeePatrol, AcknowledgeAlarm, HoldAlarm, SeeFigures, EditRules, CreateOrder, MakeTap, ImportTaps, ManagePeople, SeeAudit, SeeHealth),
	RoleManager:    set(SeeEstate, SeeAllOrders, SeePatrol, AcknowledgeAlarm, HoldAlarm, SeeFigures, EditRules, CreateOrder, ImportTaps, SeeAudit, SeeHealth),
	RoleDesk:       set(SeeEstate, SeeAllOrders, SeePatrol, AcknowledgeAlarm, HoldAlarm, SeeFigures, CreateOrder, ImportTaps),
	RoleTechnician: set(SeeEstate, AcknowledgeAlarm, CreateOrder),
	RoleGuard:      set(SeePatrol, CreateOrder, MakeTap),
	RoleViewer:     set(SeeEstate, SeeAllOrders, SeePatrol),
}

func set(ps ...Permission) map[Permission]bool {
	m := make(map[Permission]bool, len(ps))
	for _, p := range ps {
		m[p] = true
	}
	return m
}

// May reports whether the role allows the permission.
func (r Role) May(p Permission) bool { return granted[r][p] }

// Valid reports whether the role exists.
func (r Role) Valid() bool { _, ok := granted[r]; return ok }

// ValidLogin reports whether s can be a login: 1 to 64 lower-case letters,
// digits, ".", "_" and "-", beginning with a letter or digit, and not the name
// under which the program itself acts.
func ValidLogin(s string) bool {
	if s == "" || len(s) > 64 || s == SystemActor {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// Person is somebody who works here.
type Person struct {
	Login    string // lower-case letters, digits, ".", "_", "-"; the key
	Name     string
	Role     Role
	Badges   []string // normalised UIDs
	Phone    string
	Disabled bool
	Created  time.Time
}

// Validate returns an ErrInvalid that says what about the person cannot be: the
// login, the role or a badge that is not normalised.
func (p Person) Validate() error {
	if !ValidLogin(p.Login) {
		return fmt.Errorf("login %q: want 1 to 64 of a-z, 0-9, '.', '_', '-', and not %q: %w", p.Login, SystemActor, ErrInvalid)
	}
	if !p.Role.Valid() {
		return fmt.Errorf("person %s: role %q does not exist: %w", p.Login, p.Role, ErrInvalid)
	}
	for _, b := range p.Badges {
		n, err := NormaliseUID(b)
		if err != nil {
			return fmt.Errorf("person %s: badge: %w: %w", p.Login, err, ErrInvalid)
		}
		if n != b {
			return fmt.Errorf("person %s: badge %q is not normalised (%s): %w", p.Login, b, n, ErrInvalid)
		}
	}
	return nil
}

// Assignable reports whether a work order may be put into this person's hands.
func (p Person) Assignable() bool { return !p.Disabled && p.Role.May(CreateOrder) }
