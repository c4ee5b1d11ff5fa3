package devices

import (
	"net"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
	"gengfu/facility/porttest"
)

func simulatedAt(t *testing.T, m member) *simulator.Slave {
	t.Helper()
	s, err := simulator.New(m.model, string(m.address))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Modbus ASCII with seven bits, over the kernel.
func TestReadsALineOfModbusASCII(t *testing.T) {
	p, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	s := simulated(t, pump(), 3)
	bus, err := simulator.NewLine(p, simulator.Options{ASCII: true, Wire: simulator.Wire{Baud: 9600, Turnaround: 2 * time.Millisecond}}, s)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, bus)
	begin := time.Now()
	_, sink := start(t, []LineConfig{{
		ID: "ascii", Protocol: ModbusASCII, Serial: &SerialConfig{Port: p.Path(), DataBits: 7, Parity: "even"}, Timeout: patient,
	}}, []DeviceConfig{device("a", "ascii", 3)}, nil)
	sink.awaitValue(t, "a/pressure", 4.25, begin)
	sink.awaitValue(t, "a/starts", 70000, begin)
	set(t, s, "state", 3)
	sink.awaitValue(t, "a/state", 3, begin)
}

// A box that dials in, registers and says that it lives, with a meter, a water meter
// and a pump behind it; it is cut off and comes back.
func TestReadsMetersBehindABoxThatDialsIn(t *testing.T) {
	address := porttest.Address(t)
	members := []member{
		{pump(), "1"}, {shipped(t, "dlt645-2007"), "000000000161"}, {shipped(t, "cjt188-water"), "78330000123456"},
	}
	profiles := map[string]profile.Profile{}
	var slaves []*simulator.Slave
	var devs []DeviceConfig
	for i, m := range members {
		slaves = append(slaves, simulatedAt(t, m))
		profiles[m.model.ID] = m.model
		devs = append(devs, DeviceConfig{ID: []string{"pump", "grid", "water"}[i], Profile: m.model.ID, Line: "box", Address: m.address})
	}
	_, sink := startWith(t, []LineConfig{{
		ID: "box", Protocol: DLT645, TCP: &TCPConfig{Listen: address, Registration: "BOX-7", Heartbeat: "www.usr.cn"},
	}}, devs, nil, profiles)
	for again := range 2 {
		begin := time.Now()
		box := dialIn(t, address, slaves...)
		sink.awaitValue(t, "pump/pressure", 4.25, begin)
		sink.awaitValue(t, "grid/energy_import", shows(t, slaves[1], "energy_import"), begin)
		sink.awaitValue(t, "water/total", shows(t, slaves[2], "total"), begin)
		if again == 1 {
			return
		}
		cut := time.Now()
		if err := box.Close(); err != nil {
			t.Fatal(err)
		}
		sink.awaitReason(t, "pump/pressure", facility.LineDown, cut)
	}
}

func shows(t *testing.T, s *simulator.Slave, quantity string) float64 {
	t.Helper()
	v, err := s.Get(quantity)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// dialIn is the box: it registers and then carries what its devices say.
func dialIn(t *testing.T, address string, slaves ...*simulator.Slave) *simulator.Bus {
	t.Helper()
	var conn net.Conn
	var err error
	for end := time.Now().Add(time.Minute); ; {
		if conn, err = net.Dial("tcp", address); err == nil || time.Now().After(end) {
			break // else the field does not listen yet
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("BOX-7")); err != nil {
		t.Fatal(err)
	}
	faults, err := simulator.ParseFaults("heartbeat 700ms")
	if err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewLine(conn, simulator.Options{Faults: faults}, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, bus)
	return bus
}
