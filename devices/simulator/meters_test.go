package simulator_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// profiles reads those that come with the program.
func profiles(t testing.TB) map[string]profile.Profile {
	t.Helper()
	files, err := filepath.Glob("../../configs/profiles/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles found: %v", err)
	}
	out := make(map[string]profile.Profile, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p profile.Profile
		if err := yaml.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		p.Defaults()
		out[p.ID] = p
	}
	return out
}

func meter(t testing.TB, p profile.Profile, address string) *simulator.Slave {
	t.Helper()
	s, err := simulator.New(p, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t testing.TB, s *simulator.Slave, values map[string]float64) {
	t.Helper()
	for quantity, value := range values {
		if err := s.Set(quantity, value); err != nil {
			t.Fatal(err)
		}
	}
}

// hear sends a request and reads frames of its protocol until one has come.
func hear[F any](t *testing.T, client *os.File, r *framing.Reader[F], request []byte) F {
	t.Helper()
	if _, err := client.Write(request); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 512)
	for {
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if frames := r.Feed(buf[:n]); len(frames) > 0 {
			return frames[0]
		}
	}
}

// What a published meter answered is what a simulated one with the same values
// does, byte for byte.
func TestPublishedFramesOf645(t *testing.T) {
	for id, p := range profiles(t) {
		if p.Protocol != profile.DLT645 {
			continue
		}
		for _, g := range p.Golden {
			request, reply := frame(t, g.Request), frame(t, g.Reply)
			if len(request) < 13 || strings.Contains(g.Source, "minute of the demand") {
				continue
			}
			a := dlt645.Address(request[1:7])
			s := meter(t, p, a.String())
			set(t, s, g.Values)
			client := line(t, simulator.Wire{}, s)
			if _, err := client.Write(request); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 0, 256)
			buf := make([]byte, 256)
			for !bytes.HasSuffix(got, reply) {
				if err := client.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				n, err := client.Read(buf)
				if err != nil {
					t.Errorf("%s, %s: reply % X, want % X", id, g.Source, got, reply)
					break
				}
				got = append(got, buf[:n]...)
			}
		}
	}
}

// silent checks that nothing comes.
func silent(t *testing.T, client *os.File, request []byte, what string) {
	t.Helper()
	if _, err := client.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := client.SetReadDeadline(time.Now().Add(40 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := client.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s was answered with % X (%v)", what, buf[:n], err)
	}
	if err := client.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// transfer reads a whole item of a DL/T 645 meter and counts its frames.
func transfer(t *testing.T, client *os.File, a dlt645.Address, code string) (data []byte, frames int, err error) {
	t.Helper()
	di, err := dlt645.ParseDI(code)
	if err != nil {
		t.Fatal(err)
	}
	tr := dlt645.NewTransfer(a, di)
	for done := false; !done; frames++ {
		f := hear(t, client, dlt645.NewReader(), tr.Request().Bytes())
		if done, err = tr.Take(f); err != nil {
			return nil, frames, err
		}
	}
	return tr.Data(), frames, nil
}

func address645(t *testing.T, s string) dlt645.Address {
	t.Helper()
	a, err := dlt645.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestElectricityMeter(t *testing.T) {
	known := profiles(t)
	three := meter(t, known["dlt645-2007-three-phase"], "161")
	old := meter(t, known["dlt645-1997-three-phase"], "000000000055")
	client := line(t, simulator.Wire{}, three, old)
	own, older := address645(t, "161"), address645(t, "55")

	var refused dlt645.Refusal
	if _, _, err := transfer(t, client, own, "04CC1234"); !errors.As(err, &refused) || !refused.Has(dlt645.NoSuchData) {
		t.Errorf("an item that no meter has: %v", err)
	}
	silent(t, client, dlt645.Read(address645(t, "162"), dlt645.DI{Code: 0x00010000}).Bytes(), "another meter's request")

	block, frames, err := transfer(t, client, own, "0201FF00")
	if err != nil || frames != 1 || len(block) != 6 {
		t.Errorf("the block of voltages is % X in %d frames (%v)", block, frames, err)
	}
	whole, _, err := transfer(t, client, own, "040005FF")
	if err != nil {
		t.Fatal(err)
	}
	three.LimitData(24)
	long, _, err := transfer(t, client, own, "0001FF00")
	if err != nil || len(long)%4 != 0 || len(long) == 0 {
		t.Errorf("the block of energies is % X (%v)", long, err)
	}
	three.LimitData(0)
	again, _, err := transfer(t, client, own, "040005FF")
	if err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the status words are % X (%v), want % X", again, err, whole)
	}
	for code, a := range map[string]dlt645.Address{"9010": older, "B61F": older} {
		if data, _, err := transfer(t, client, a, code); err != nil || len(data)%2 != 0 {
			t.Errorf("item %s of 1997 is % X (%v)", code, data, err)
		}
	}

	// Both answer to any address at once, and nobody understands them.
	silentOf645(t, client)
}

// silentOf645 checks that what comes to a request for any meter is no frame.
func silentOf645(t *testing.T, client *os.File) {
	t.Helper()
	if _, err := client.Write(dlt645.AskAddress().Bytes()); err != nil {
		t.Fatal(err)
	}
	r, buf, heard := dlt645.NewReader(), make([]byte, 64), 0
	for wait := time.Minute; ; wait = 50 * time.Millisecond { // what has begun ends soon
		if err := client.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		heard += n
		for _, f := range r.Feed(buf[:n]) {
			t.Errorf("two meters at once were understood: %s", f)
		}
	}
	if heard == 0 {
		t.Error("nothing came where two meters answer")
	}
}

func TestElectricityMeterTellsItsAddress(t *testing.T) {
	client := line(t, simulator.Wire{}, meter(t, profiles(t)["dlt645-2007"], "000000000161"))
	reply, err := dlt645.AskAddress().Match(hear(t, client, dlt645.NewReader(), dlt645.AskAddress().Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := reply.AddressOf(); err != nil || a.String() != "000000000161" {
		t.Errorf("the address is %s (%v)", a, err)
	}
}

// An item that is longer than a frame comes in parts, which make what comes at once.
func TestLongItemsComeInParts(t *testing.T) {
	for _, c := range []struct{ id, item string }{{"dlt645-2007-three-phase", "0001FF00"}, {"dlt645-1997", "901F"}} {
		p := profiles(t)[c.id]
		block := c.item
		for i, tariff := range []string{"", "_t1", "_t2", "_t3", "_t4", "_t5", "_t6", "_t7", "_t8"} {
			id := "part" + tariff
			p.Points = append(p.Points, profile.Point{ID: id, Item: block, Value: "forward_active_energy" + tariff, Scale: 1})
			p.Persona.Values[id] = float64(1000*i) + 0.5
		}
		s := meter(t, p, "7")
		client := line(t, simulator.Wire{}, s)
		at, once, err := transfer(t, client, address645(t, "7"), block)
		if err != nil || once != 1 || len(at) != 9*4 {
			t.Fatalf("%s: % X in %d frames (%v)", c.id, at, once, err)
		}
		s.LimitData(24)
		parts, frames, err := transfer(t, client, address645(t, "7"), block)
		if err != nil || frames < 2 || !bytes.Equal(parts, at) {
			t.Errorf("%s: % X in %d frames (%v), want % X in several", c.id, parts, frames, err, at)
		}
	}
}

func TestWaterMeter(t *testing.T) {
	p := profiles(t)["cjt188-water"]
	s := meter(t, p, "78330011223344")
	set(t, s, map[string]float64{"total": 556677})
	client := line(t, simulator.Wire{}, s)
	a, err := cjt188.ParseAddress("78330011223344")
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []cjt188.Order{cjt188.HighFirst, cjt188.LowFirst} {
		r := cjt188.Read(cjt188.Meter{Type: cjt188.ColdWater, Address: a, Order: order}, cjt188.Current, 7)
		reply, err := r.Match(hear(t, client, cjt188.NewReader(), r.Bytes()))
		if err != nil || reply.Order != order || reply.Serial != 7 {
			t.Fatalf("order %d: %+v (%v)", order, reply, err)
		}
		values, err := cjt188.Water().Decode(reply.Data, time.Local)
		if err != nil || values[0].Number != 556677 || time.Since(values[2].Time) > time.Minute {
			t.Errorf("order %d: %+v (%v)", order, values, err)
		}
	}
	other := cjt188.Read(cjt188.Meter{Type: cjt188.HeatMeter, Address: a}, cjt188.Current, 8)
	silent(t, client, other.Bytes(), "a request to a heat meter of the same address")
	ask := cjt188.AskAddress(cjt188.LowFirst, 9)
	if reply, err := ask.Match(hear(t, client, cjt188.NewReader(), ask.Bytes())); err != nil || reply.Address != a {
		t.Errorf("it says its address is %s (%v)", reply.Address, err)
	}

	p.CJT188 = &profile.Dialect{Type: "10", Order: profile.LowFirst, AnySerial: true}
	client = line(t, simulator.Wire{}, meter(t, p, "1"))
	any := cjt188.Meter{Type: cjt188.AnyType, Address: cjt188.Any(), AnySerial: true}
	silent(t, client, cjt188.Read(any, cjt188.Current, 1).Bytes(), "an identifier in the order of 2004")
	any.Order = cjt188.LowFirst
	r := cjt188.Read(any, cjt188.Current, 5)
	if reply, err := r.Match(hear(t, client, cjt188.NewReader(), r.Bytes())); err != nil || reply.Serial == 5 {
		t.Errorf("%+v (%v), want a serial number of its own", reply, err)
	}
}

func TestMeterOnMBus(t *testing.T) {
	p := profiles(t)["mbus-heat"]
	s := meter(t, p, "5")
	s.LimitData(40)
	other := meter(t, profiles(t)["mbus-water"], "19004636")
	client := line(t, simulator.Wire{}, s, other)
	ask := func(r mbus.Request) mbus.Response {
		t.Helper()
		resp, err := r.Match(hear(t, client, mbus.NewReader(), r.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	ask(mbus.Initialise(5))
	first := ask(mbus.Ask(5, true))
	if again := ask(mbus.Ask(5, true)); !bytes.Equal(again.Records, first.Records) {
		t.Errorf("the same count brought % X after % X", again.Records, first.Records)
	}
	if next := ask(mbus.Ask(5, false)); bytes.Equal(next.Records, first.Records) {
		t.Errorf("the other count brought % X again", next.Records)
	}

	ask(mbus.Initialise(5))
	out := mbus.NewReadout(5, true, time.Local)
	telegrams := 0
	for done := false; !done; telegrams++ {
		var err error
		if done, err = out.Take(hear(t, client, mbus.NewReader(), out.Request().Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	if telegrams < 2 || len(out.Records()) != 6 {
		t.Errorf("%d records in %d telegrams, want 6 in several", len(out.Records()), telegrams)
	}
	for _, r := range out.Records() {
		if r.Quantity == "energy" && (r.Number != 45678 || r.Unit != "kWh") {
			t.Errorf("the energy is %v %s", r.Number, r.Unit)
		}
	}

	water, err := mbus.ParseSecondary("FFFF4636")
	if err != nil {
		t.Fatal(err)
	}
	silent(t, client, mbus.Ask(mbus.Selected, true).Bytes(), "a request to the selected meter, of which there is none,")
	ask(mbus.Select(water))
	if got := ask(mbus.AskSelected(water, true)); got.Identity.Number() != "19004636" || got.Identity.Medium() != 0x06 {
		t.Errorf("selected was %s", got.Identity)
	}
	nobody, err := mbus.ParseSecondary("11111111")
	if err != nil {
		t.Fatal(err)
	}
	silent(t, client, mbus.Select(nobody).Bytes(), "the selection of nobody")
	silent(t, client, mbus.Ask(mbus.Selected, true).Bytes(), "a meter that was deselected")
	silent(t, client, mbus.Initialise(mbus.Broadcast).Bytes(), "a broadcast")

	s.SetFault(simulator.Fault{Kind: simulator.Busy, Times: 1})
	var refused mbus.Refusal
	r := mbus.Ask(5, true)
	if _, err := r.Match(hear(t, client, mbus.NewReader(), r.Bytes())); !errors.As(err, &refused) || !refused.Busy() {
		t.Errorf("a busy meter: %v", err)
	}
}

// A persona shows what tells its model, to whoever asks for exactly that.
func TestPersonasShowWhatTellsTheirModel(t *testing.T) {
	marks := 0
	for id, p := range profiles(t) {
		if p.Language() != profile.Modbus || len(p.Identify) == 0 {
			continue
		}
		client := line(t, simulator.Wire{}, meter(t, p, "1"))
		for _, m := range p.Identify {
			n := m.Words()
			ask := []byte{1, m.Table.Function(), byte(m.Address >> 8), byte(m.Address), 0, byte(n)}
			reply := frame(t, exchange(t, client, with(t, hex.EncodeToString(ask)), 5+2*n))
			words := make([]uint16, n)
			for i := range words {
				words[i] = uint16(reply[3+2*i])<<8 | uint16(reply[4+2*i])
			}
			if !m.Matches(words) {
				t.Errorf("%s shows % X at %s %d", id, reply, m.Table, m.Address)
			}
			marks++
		}
	}
	if marks == 0 {
		t.Error("no profile has a mark")
	}
}
