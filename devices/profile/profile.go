// Package profile is what is known of a model of device beforehand: its points,
// where they stand in its registers, and how a raw value becomes a reading. A
// profile is data; nothing here talks to a device.
package profile

import (
	"time"

	"gengfu/facility"
)

// Profile is one model of device, as a YAML file in configs/profiles says it.
type Profile struct {
	ID       string        `yaml:"id"` // the file's name without .yaml
	Name     facility.Text `yaml:"name"`
	Kind     string        `yaml:"kind"` // the measurement: "pump", "water_meter", "electricity_meter", "heat_meter", "gas_meter", "level", "pressure", "digital_input", "drive", "climate"
	Maker    string        `yaml:"maker"`
	Model    string        `yaml:"model"`
	Source   string        `yaml:"source"`   // manual, page or code that the map was taken from
	Verified bool          `yaml:"verified"` // true only when checked on the real device
	Protocol Protocol      `yaml:"protocol"` // what the model speaks; "" is modbus
	CJT188   *Dialect      `yaml:"cjt188"`   // of a model that speaks it
	Family   string        `yaml:"family"`   // models whose devices may look alike on the wire share this name: "Eastron SDM"
	Identify []Mark        `yaml:"identify"` // what tells the model; none when its maker documents nothing
	Limits   Limits        `yaml:"limits"`
	Points   []Point       `yaml:"points"`
	Golden   []Golden      `yaml:"golden"`
	Persona  Persona       `yaml:"persona"`
}

// Protocol is the language of a model. How its frames are wrapped is the line's.
type Protocol string

// The languages.
const (
	Modbus Protocol = "modbus" // RTU, ASCII or TCP
	DLT645 Protocol = "dlt645" // electricity meters; the length of a point's item says which edition
	CJT188 Protocol = "cjt188" // water, heat and gas meters
	MBus   Protocol = "mbus"   // wired M-Bus
)

// Dialect is how a model speaks CJ/T 188, in which makers differ.
type Dialect struct {
	Type      string `yaml:"type"`       // of meter, two hex digits: "10" cold water; "" is AA, any
	Order     string `yaml:"order"`      // of the identifier's bytes: high-first, low-first; "" tries both and remembers
	UnitFirst bool   `yaml:"unit_first"` // the unit's code stands before the digits
	AnySerial bool   `yaml:"any_serial"` // answers with a serial number of its own
}

// Limits are what the model stands in one request.
type Limits struct {
	Registers int           `yaml:"registers"` // per read; 0 is 125, the limit of Modbus
	Bits      int           `yaml:"bits"`      // per read; 0 is 2000
	Gap       int           `yaml:"gap"`       // registers between two points that may be read along with them; 0 reads listed ones only
	Timeout   time.Duration `yaml:"timeout"`   // until the reply is complete, beyond the wire time; 0 is the line's
	Pause     time.Duration `yaml:"pause"`     // silence that the model wants before a request; 0 is the line's gap
	Forbidden []Range       `yaml:"forbidden"` // no request may touch them
}

// Range is a stretch of a table.
type Range struct {
	Table Table `yaml:"table"`
	From  int   `yaml:"from"` // 0-based, as on the wire
	To    int   `yaml:"to"`   // the last one
}

// Table is one of the four address spaces of Modbus.
type Table string

// The tables, with the function code that reads them.
const (
	Coil     Table = "coil"     // 01
	Discrete Table = "discrete" // 02
	Holding  Table = "holding"  // 03
	Input    Table = "input"    // 04
)

// Point is one quantity of the model and where it stands.
type Point struct {
	ID        string                `yaml:"id"` // the quantity: "active_power"; lower-case letters, digits, "_"
	Name      facility.Text         `yaml:"name"`
	Kind      facility.PointKind    `yaml:"kind"`
	Unit      string                `yaml:"unit"`
	Table     Table                 `yaml:"table"`
	Address   int                   `yaml:"address"` // 0-based, as on the wire
	Type      string                `yaml:"type"`    // u16 i16 u32 i32 u64 i64 f32 f64 bcd16 bcd32 bcd48 bcd64 i32+f32 bit
	Order     string                `yaml:"order"`   // of bytes: ABCD (default) CDAB BADC DCBA, for 64 bits by the same rule
	Bit       *int                  `yaml:"bit"`     // of the value of type bit (one register), u16, u32 or u64, 0 the lowest; the point is then 0 or 1
	Width     int                   `yaml:"width"`   // how many bits from Bit on; 0 is 1. More than one is a number, with labels
	Scale     float64               `yaml:"scale"`   // value = raw*scale + offset; 0 is 1
	Offset    float64               `yaml:"offset"`
	Decimals  int                   `yaml:"decimals"`
	Min       *float64              `yaml:"min"` // outside is bad: out_of_range
	Max       *float64              `yaml:"max"`
	Wrap      float64               `yaml:"wrap"`      // of a counter: what it shows 0 instead of, in its unit: 1000000 after 999999.99
	Sentinels []int64               `yaml:"sentinels"` // raw values that mean "no value": bad, sensor_fault; NaN always is
	Labels    map[int]facility.Text `yaml:"labels"`
	Period    time.Duration         `yaml:"period"` // how often it is read; 0 is by kind: alarm and state 1s, measure 10s, counter 60s; where the model does not speak Modbus counter 5m, the others 60s
	Writable  bool                  `yaml:"writable"`
	Detail    bool                  `yaml:"detail"` // only an engineer wants to see it: a setting, a raw word

	// Where the point stands when the model does not speak Modbus; table, address,
	// type and order are then empty. Points of one item are read together.
	Item    string `yaml:"item"`    // data identifier: eight hex digits (DL/T 645-2007), four (1997; CJ/T 188: "901F"); none for M-Bus
	Value   string `yaml:"value"`   // which value of the item, by the name that its decoder gives; "" is the only one. M-Bus: the quantity of the record
	Format  string `yaml:"format"`  // of an item that the standard does not have, DL/T 645 only: as "number 4 2 kWh": kind, bytes, decimals, unit
	Storage uint64 `yaml:"storage"` // of an M-Bus record
	Tariff  uint32 `yaml:"tariff"`  // of an M-Bus record
	Subunit uint32 `yaml:"subunit"` // of an M-Bus record
	Is      string `yaml:"is"`      // of an M-Bus record: present, maximum, minimum; "" is present
}

// Golden is a pair of frames with what they say, as a test of the profile.
type Golden struct {
	Source  string             `yaml:"source"`
	Request string             `yaml:"request"` // hex, the whole frame; of Modbus as RTU
	Reply   string             `yaml:"reply"`   // hex, the whole frame
	Values  map[string]float64 `yaml:"values"`  // by quantity
}

// Persona is how a simulated device of the model looks at rest.
type Persona struct {
	Values map[string]float64 `yaml:"values"` // by quantity, in its unit; the others are 0
}

// Language returns the protocol of the model: modbus when the file says none.
func (p Profile) Language() Protocol {
	if p.Protocol == "" {
		return Modbus
	}
	return p.Protocol
}
