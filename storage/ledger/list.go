package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

// conditions collects what a list is filtered by. Values only ever become
// arguments; the text is always a constant of this package.
type conditions struct {
	text []string
	args []any
}

// arg adds a value and returns its placeholder.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

// add adds a condition whose "?" stand for the values, in their order.
func (c *conditions) add(text string, values ...any) {
	for _, v := range values {
		text = strings.Replace(text, "?", c.arg(v), 1)
	}
	c.text = append(c.text, text)
}

func (c *conditions) where() string { return "WHERE " + strings.Join(c.text, " AND ") }

// The limits of a page of a list.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// page restricts the conditions to what comes after the page's Before and
// returns the tail of the query. The list is of the rows of table with the
// newest in column at first, and of equally new ones the greatest id.
func (r register) page(ctx context.Context, c *conditions, table, at string, p facility.Page) (string, error) {
	if p.Before != "" {
		var t time.Time
		err := r.db.QueryRowContext(ctx, "SELECT "+at+" FROM "+table+" WHERE site = $1 AND id = $2", r.site, p.Before).
			Scan(asTime{&t})
		if err != nil {
			return "", failure(err, "page of %s before %q", table, p.Before)
		}
		c.add("("+at+", id) < (?, ?)", nanos(t), p.Before)
	}
	limit := p.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	return " ORDER BY " + at + " DESC, id DESC LIMIT " + c.arg(min(limit, maxLimit)), nil
}

// collect runs a query and returns what scan makes of its rows.
func collect[T any](ctx context.Context, r register, scan func(row) (T, error), query string, args ...any) (_ []T, err error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// row is a *sql.Row or the present one of *sql.Rows.
type row interface{ Scan(dest ...any) error }

// placeholders returns "$1, $2, … $n".
func placeholders(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		if i > 1 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i)
	}
	return b.String()
}
