package dashboard

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// fiveHundredPoints is an estate of fifty devices with ten points each.
func fiveHundredPoints(o *Options) {
	for d := range 50 {
		device := facility.Device{ID: fmt.Sprintf("meter-%d", d), Name: facility.Text{ZH: "电表", EN: "Meter"}, Kind: "electricity_meter"}
		for p := range 10 {
			device.Points = append(device.Points, facility.Point{
				ID:   facility.PointID{Device: device.ID, Quantity: fmt.Sprintf("voltage_%d", p)},
				Name: facility.Text{ZH: "电压", EN: "Voltage"}, Kind: facility.Measure, Unit: "V", Decimals: 1, Period: 5 * time.Second,
			})
		}
		o.Estate.Devices = append(o.Estate.Devices, device)
	}
}

func (h *house) fill() {
	var readings []facility.Reading
	for id := range h.server.estate.points {
		readings = append(readings, h.value(id, 230.1))
	}
	h.tell(Event{Readings: readings})
}

// request sends the same request over one connection as fast as it is answered.
func request(b *testing.B, h *house, path, header string) {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReaderSize(conn, 1<<16)
	text := []byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n")
	var size int64
	for b.Loop() {
		h.clock.advance(time.Second)
		if _, err := conn.Write(text); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			b.Fatal(err)
		}
		size, err = io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status, err)
		}
		_ = resp.Body.Close()
	}
	b.ReportMetric(float64(size), "B/answer")
}

func BenchmarkDevices500Points(b *testing.B) {
	h := startHouse(b, fiveHundredPoints)
	h.fill()
	cookie := h.as("viewer").client.Jar.Cookies(mustURL(b, h.url))[0]
	request(b, h, "/api/devices", "Cookie: "+cookie.String())
}

func BenchmarkStaticFile(b *testing.B) {
	h := startHouse(b)
	request(b, h, "/assets/app-1a2b.js", "Accept-Encoding: gzip, br")
}

// BenchmarkStream500 is the time from an event of the estate until the last of
// 500 browsers has it.
func BenchmarkStream500(b *testing.B) {
	h := startHouse(b)
	var streams []*stream
	for range 25 {
		viewer := h.as("viewer")
		for range 20 {
			s := viewer.open()
			s.next("hello")
			streams = append(streams, s)
		}
	}
	a := h.alarm(facility.P3, facility.AlarmUnacknowledged)
	for b.Loop() {
		h.tell(Event{Alarm: &a})
		for _, s := range streams {
			s.next("alarm")
		}
	}
}

func BenchmarkOverview(b *testing.B) {
	h := startHouse(b, fiveHundredPoints)
	h.fill()
	f := facts{estate: h.server.estate, tiles: []facility.PointID{pressure}, values: h.Latest()}
	for b.Loop() {
		overview(f, noon)
	}
}
