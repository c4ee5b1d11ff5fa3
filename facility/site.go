package facility

import "time"

// Site is one residential property.
type Site struct {
	ID   string // key in topics, rows and tags: lower-case letters, digits, "-"
	Name Text
	Zone *time.Location // judged and shown in this zone; stored in UTC
}

// Place is a room, building or area of the site.
type Place struct {
	ID        string
	Name      Text
	DependsOn []string // devices through which all in it is fed
}

// Line is one bus or socket of the field, and what it hangs on.
type Line struct {
	ID        string
	Gateway   string   // that reads it, empty when it is not known
	DependsOn []string // devices through which its converter is fed
}

// Device is one thing in the field with an address on a line.
type Device struct {
	ID      string
	Name    Text
	Kind    string // measurement name: "pump", "water_meter", "electricity_meter", "level", "pressure", "digital_input"
	Place   string // id of a Place, may be empty
	Line    string // id of its line
	Address string // on the line: 1-247 for Modbus, a meter's digits otherwise
	Profile string
	Points  []Point

	DependsOn []string // devices through which it is fed, as the meter or breaker before it

	Parent  string            // of a sub-meter the meter through which all goes that it counts; may be empty
	Ratings map[string]string // what it is made for or allowed, by name, as current: "100 A", pipe: "DN100"
}

// Point is what is known about one quantity of a device beforehand.
type Point struct {
	ID     PointID
	Name   Text
	Kind   PointKind
	Unit   string
	Min    *float64     // validity range of the value, in Unit; nil is open
	Max    *float64     //
	Wrap   float64      // of a counter that rolls over: what it shows 0 instead of, in Unit; 0 when nobody knows
	Labels map[int]Text // words for the values of a state or signal
	Period time.Duration
	// Decimals is how many digits after the point a person wants to see.
	Decimals int
	// Detail says that only an engineer wants to see it: a setting, a raw word.
	Detail bool
}

// Estate is what the configuration says of one site. It does not change while
// the program runs.
type Estate struct {
	Site        Site
	Places      []Place
	Lines       []Line
	Devices     []Device
	Readers     []Reader
	Checkpoints []Checkpoint
	Routes      []Route
	Plans       []Plan
	Calendars   []Calendar // shifts, holidays: what rules ask for by id
}

// Reader is a fixed NFC or RFID reader at a checkpoint.
type Reader struct {
	ID         string
	Name       Text
	Line       string
	Checkpoint string // id of the checkpoint where it hangs
}
