package influx_test

import (
	"fmt"
	"testing"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/influxtest"
)

// rateRows are readings of 500 meters, one each second from the given one on: each
// is a point of one field.
func rateRows(second, n int) []history.Row {
	rows := make([]history.Row, n)
	for i := range rows {
		at := second*500 + i
		rows[i] = history.Row{
			Reading: facility.Reading{
				Point: facility.PointID{Device: fmt.Sprint("meter-", at%500), Quantity: "energy"},
				Time:  begin.Add(time.Duration(at/500) * time.Second), Value: float64(at) / 100, Unit: "kWh", Quality: facility.Good,
			},
			Kind: "electricity_meter", Place: "basement",
		}
	}
	return rows
}

// BenchmarkWrite compares the store with the bare client that is given ready line
// protocol of 5,000 points a time, in turns, on the same server.
func BenchmarkWrite(b *testing.B) {
	const perTurn = 100_000
	url, token, bucket := influxtest.Start(b)
	s := open(b, influx.Options{URL: url, Bucket: bucket, Token: token, Site: "here"})
	client := influxdb.NewClientWithOptions(url, token, influxdb.DefaultOptions().SetPrecision(time.Millisecond))
	defer client.Close()
	bare := client.WriteAPIBlocking("", bucket)
	var ours, theirs time.Duration
	second := 0
	for b.Loop() {
		rows := rateRows(second, perTurn)
		var lines []string
		for i := 0; i < perTurn; i += 5000 {
			lines = append(lines, string(influx.Lines("there", rows[i:i+5000])))
		}
		start := time.Now()
		for _, l := range lines {
			if err := bare.WriteRecord(b.Context(), l); err != nil {
				b.Fatal(err)
			}
		}
		theirs += time.Since(start)
		start = time.Now()
		if err := s.Write(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		second += perTurn / 500
	}
	b.ReportMetric(float64(perTurn*b.N)/ours.Seconds(), "readings/s")
	b.ReportMetric(float64(perTurn*b.N)/theirs.Seconds(), "bare/s")
	b.ReportMetric(100*theirs.Seconds()/ours.Seconds(), "%ofbare")
}
