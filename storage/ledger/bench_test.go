package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"
)

// BenchmarkOrders asks of a ledger with 100,000 orders, 200 of them open, what
// the pages ask.
func BenchmarkOrders(b *testing.B) {
	l := staffed(b)
	const count = 100_000
	var middle string
	update(b, l, func(tx *ledger.Tx) error {
		for i := range count {
			o := newOrder()
			o.CreatedAt = noon.Add(time.Duration(i-count) * 5 * time.Minute)
			o.Title = facility.Text{ZH: fmt.Sprintf("%d栋水泵%d故障", i%40, i), EN: fmt.Sprintf("Pump %d of building %d failed", i, i%40)}
			o.Assignee, o.State, o.Key = "technician", facility.OrderClosed, fmt.Sprint("fault/", i%500)
			switch {
			case i == 50_000:
				o.Detail.ZH = "电梯困人"
			case i >= count-200:
				o.State, o.Key = facility.OrderInProgress, ""
			}
			if i%100 == 0 {
				o.Assignee = "guard"
			}
			if err := tx.InsertOrder(&o, facility.OrderEvent{}); err != nil {
				return err
			}
			if i == count/2 {
				middle = o.ID
			}
		}
		return nil
	})
	filters := []struct {
		name string
		f    facility.OrderFilter
		want int
	}{
		{"newest", facility.OrderFilter{}, 100},
		{"open", facility.OrderFilter{Open: true}, 100},
		{"done", facility.OrderFilter{Done: true}, 100},
		{"deep page", facility.OrderFilter{Page: facility.Page{Before: middle}}, 100},
		{"mine", facility.OrderFilter{Mine: "guard"}, 100},
		{"open of mine", facility.OrderFilter{Mine: "guard", Open: true}, 2},
		{"concern", facility.OrderFilter{Concern: "guard"}, 100},
		{"search often", facility.OrderFilter{Search: "栋水泵"}, 100},
		{"search once", facility.OrderFilter{Search: "电梯"}, 1},
		{"search open", facility.OrderFilter{Search: "pump", Open: true}, 100},
		{"search never", facility.OrderFilter{Search: "no such thing"}, 0},
	}
	for _, tt := range filters {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				orders, err := l.Orders(b.Context(), tt.f)
				if err != nil || len(orders) != tt.want {
					b.Fatal(len(orders), err)
				}
			}
		})
	}
	b.Run("totals", func(b *testing.B) {
		for b.Loop() {
			if n, err := l.OrderTotals(b.Context(), noon); err != nil || n.Open != 200 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("by key", func(b *testing.B) {
		for b.Loop() {
			err := l.View(b.Context(), func(tx *ledger.Tx) error { _, err := tx.LatestOrderByKey("fault/7"); return err })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			o := newOrder()
			if err := l.Update(b.Context(), func(tx *ledger.Tx) error { return tx.InsertOrder(&o, facility.OrderEvent{}) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
