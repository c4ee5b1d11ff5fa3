// Package dashboard is the Fiber application: the JSON API of docs/api.md, the
// event stream, sign-in, and the pages. It reaches the rest of the house only
// through the interfaces in this file, and never judges anything itself.
package dashboard

import (
	"context"
	"crypto/tls"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"gengfu/dashboard/password"
	"gengfu/facility"
)

// People is the ledger's register of persons and sessions.
type People interface {
	People(ctx context.Context) ([]facility.Person, error)
	Person(ctx context.Context, login string) (facility.Person, error) // facility.ErrNotFound
	// CreatePerson fails with facility.ErrConflict when the login exists or a badge is taken.
	CreatePerson(ctx context.Context, p facility.Person, passwordHash string) error
	// UpdatePerson replaces all fields but the password and ends the person's sessions when disabled.
	UpdatePerson(ctx context.Context, p facility.Person) error
	PasswordHash(ctx context.Context, login string) (string, error)
	// SetPassword also ends all sessions of the person.
	SetPassword(ctx context.Context, login, hash string) error
	CreateSession(ctx context.Context, s facility.Session) error
	// Session finds a session that has not expired at now, by the hash of its token, with its person.
	Session(ctx context.Context, hash string, now time.Time) (facility.Session, facility.Person, error)
	DeleteSession(ctx context.Context, hash string) error
	Audit(ctx context.Context, e facility.AuditEntry) error
	AuditLog(ctx context.Context, page facility.Page) ([]facility.AuditEntry, error)
}

// Orders is the ledger's register of work orders.
type Orders interface {
	Orders(ctx context.Context, f facility.OrderFilter) ([]facility.Order, error)
	Order(ctx context.Context, id string) (facility.Order, error)
	OrderEvents(ctx context.Context, id string) ([]facility.OrderEvent, error)
	OrderAlarms(ctx context.Context, id string) ([]facility.Alarm, error)
	OpenOrders(ctx context.Context) (map[string]int, error) // by assignee
	OrderTotals(ctx context.Context, now time.Time) (facility.OrderTotals, error)
	Photo(ctx context.Context, id string) (facility.Photo, error)
}

// Desk changes work orders and alarms. It is the hub, because a change must
// reach the ledger, the judge and every open page.
type Desk interface {
	// CreateOrder fills in ID, No, State, due times and the first event.
	CreateOrder(ctx context.Context, by facility.Person, o facility.Order) (facility.Order, error)
	// ActOnOrder checks and applies; photo is stored in the same transaction, may be nil.
	ActOnOrder(ctx context.Context, by facility.Person, id string, act facility.Act, photo *facility.Photo) (facility.Order, error)
	AcknowledgeAlarm(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error)
	// TakeTaps makes the taps durable; they are judged soon after. The same id twice is no error.
	TakeTaps(ctx context.Context, taps []facility.Tap) error
}

// Watch is the ledger's register of alarms and patrols.
type Watch interface {
	Alarms(ctx context.Context, f facility.AlarmFilter) ([]facility.Alarm, error)
	Alarm(ctx context.Context, id string) (facility.Alarm, error)
	// Rounds returns those that start in [from, to), by start.
	Rounds(ctx context.Context, from, to time.Time) ([]facility.Round, error)
	// Taps returns those tapped in [from, to), newest first.
	Taps(ctx context.Context, from, to time.Time) ([]facility.JudgedTap, error)
}

// Holds changes what keeps alarms quiet, and lets go of latches. It is the hub. Who may
// do it is checked there too.
type Holds interface {
	// ResetAlarm lets go of the latch of an alarm; facility.ErrUnlawful while its condition
	// is there, or where nothing is latched.
	ResetAlarm(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error)
	// HoldAlarm shelves the alarm of a key or takes it out of service, in place of a hold of
	// the same kind: Key, Kind, Reason, Until, OneShot and Order of h are what is asked for.
	HoldAlarm(ctx context.Context, by facility.Person, h facility.AlarmHold) (facility.AlarmHold, error)
	// ReleaseAlarm ends a hold of a person; facility.ErrUnlawful where there is none.
	ReleaseAlarm(ctx context.Context, by facility.Person, key string, kind facility.AlarmState, note string) error
}

// Usual has what is usual learned anew. It is the hub. Who may do it is checked there too.
type Usual interface {
	// TakeAsUsual says that what an alarm is about is how things are from now on, and takes
	// it back; facility.ErrUnlawful where it does not stand, or does not go by what is
	// usual, and facility.ErrNoteMissing without a note.
	TakeAsUsual(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error)
}

// HoldRegister is the ledger's register of what keeps alarms quiet, and of what became of
// each alarm.
type HoldRegister interface {
	AlarmHolds(ctx context.Context) ([]facility.AlarmHold, error)
	AlarmEvents(ctx context.Context, id string) ([]facility.AlarmRecord, error) // oldest first
}

// AlarmLimits are what the site asks of whoever handles alarms, for the pages to say so
// before the hub refuses.
type AlarmLimits struct {
	MaxShelf map[facility.Priority]time.Duration // the longest shelf
	AckNote  map[facility.Priority]bool          // whether an acknowledgement needs a note
}

// Notices is the ledger's register of what people were told of alarms.
type Notices interface {
	Notices(ctx context.Context, page facility.Page) ([]facility.Notice, error) // newest first
}

// Figures measures alarms.
type Figures interface {
	// AlarmFigures are of [from, to), until now at most.
	AlarmFigures(ctx context.Context, from, to time.Time) (AlarmFigures, error)
}

// Live is the estate now.
type Live interface {
	// Latest returns the last reading of every point that has one.
	Latest() map[facility.PointID]facility.Reading
	// Subscribe delivers events until cancel is called. A subscriber that is too
	// slow loses its channel (it is closed) and must subscribe and read anew.
	Subscribe() (events <-chan Event, cancel func())
	// Health returns the health page's data, ready for JSON as docs/api.md says.
	Health(ctx context.Context) any
	// Ready returns what the hub still waits for; empty is ready.
	Ready() []string
}

// History is the time series.
type History interface {
	// Query returns the buckets of length step that start in [from, to), aligned
	// to from, without the empty ones.
	Query(ctx context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error)
}

// Event is one change, as the event stream sends it. Exactly one field is set.
type Event struct {
	Readings []facility.Reading
	Alarm    *facility.Alarm
	Order    *facility.Order
	Round    *facility.Round
	Tap      *facility.JudgedTap
	Notice   *facility.Notice // people are told of alarms
	Stopping bool             // the server stops
}

// DemoLogin is shown on the sign-in page, in demo mode only.
type DemoLogin struct {
	Login    string        `json:"login"`
	Password string        `json:"password"`
	Role     facility.Role `json:"role"`
	Name     string        `json:"name"`
}

// Extension is a page of somebody else's under the dashboard's sign-in.
type Extension struct {
	Path    string // "/demo": everything at and below it goes to Handler
	Name    facility.Text
	Roles   []facility.Role
	Handler http.Handler // gets the path below Path
}

// Options are what New needs.
type Options struct {
	Estate  facility.Estate
	Tiles   []facility.PointID // of the overview
	People  People
	Orders  Orders
	Desk    Desk
	Watch   Watch
	Live    Live
	History History
	Holds   Holds        // may be nil
	Held    HoldRegister // may be nil
	Usual   Usual        // may be nil
	Figures Figures      // may be nil
	Rules   RuleBook     // may be nil
	Notices Notices      // may be nil
	Limits  AlarmLimits
	Metrics http.Handler // may be nil
	// DeadLetters answers with every message that could not be taken, each as a line
	// of JSON; may be nil.
	DeadLetters http.Handler
	// MonitorToken is for programs of other machines that ask for the metrics and the
	// health page's data; empty lets none in.
	MonitorToken string

	// ReadDump reads the dump of a patrol wand; nil takes none. Its error is a
	// *facility.DumpError.
	ReadDump func(dump []byte, o facility.DumpOptions, people []facility.Person, now time.Time) ([]facility.DumpLine, error)

	DemoLogins []DemoLogin
	Extensions []Extension
	BaseURL    string // for the URLs of tags; empty: taken from the request
	Version    string
	Now        func() time.Time // nil is time.Now

	Logger         *slog.Logger   // nil discards
	TLS            *tls.Config    // nil serves plain HTTP
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	PasswordCost   password.Cost  // zero is password.DefaultCost
	Assets         fs.FS          // the built app, with index.html at its root; nil is the embedded one
}
