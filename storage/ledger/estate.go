package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gengfu/facility"
)

// Kind is what of the configuration the ledger keeps a copy of.
type Kind string

// The kinds.
const (
	KindPlace      Kind = "place"
	KindDevice     Kind = "device"
	KindReader     Kind = "reader"
	KindCheckpoint Kind = "checkpoint"
	KindRoute      Kind = "route"
	KindPlan       Kind = "plan"
)

type thing struct {
	kind Kind
	id   string
}

type copied struct {
	name facility.Text
	body string
	hash string
}

// Provision keeps a copy of what the configuration says now: what is new or has
// changed becomes the current copy from at on, and what is gone ends then.
func (l *Ledger) Provision(ctx context.Context, estate facility.Estate, at time.Time) error {
	want, err := copies(estate)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	return l.Update(ctx, func(t *Tx) error {
		have, err := t.provisioned()
		if err != nil {
			return err
		}
		for _, k := range sorted(have) {
			if want[k].hash == have[k] {
				continue
			}
			_, err := t.exec(`UPDATE provisioned SET until = $4 WHERE site = $1 AND kind = $2 AND id = $3 AND until IS NULL`,
				[]any{t.site, k.kind, k.id, nanos(at)}, "retire %s %s", k.kind, k.id)
			if err != nil {
				return err
			}
		}
		for _, k := range sorted(want) {
			if want[k].hash == have[k] {
				continue
			}
			if err := t.provision(k, want[k], at); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tx) provision(k thing, c copied, at time.Time) error {
	_, err := t.exec(`
		INSERT INTO provisioned (site, kind, id, since, hash, name_zh, name_en, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (site, kind, id, since) DO UPDATE SET until = NULL, hash = excluded.hash,
			name_zh = excluded.name_zh, name_en = excluded.name_en, body = excluded.body`,
		[]any{t.site, k.kind, k.id, nanos(at), c.hash, c.name.ZH, c.name.EN, c.body}, "provision %s %s", k.kind, k.id)
	return err
}

// provisioned returns the hashes of the current copies.
func (t *Tx) provisioned() (map[thing]string, error) {
	have := map[thing]string{}
	_, err := collect(t.ctx, t.register, func(row row) (struct{}, error) {
		var k thing
		var hash string
		err := row.Scan(&k.kind, &k.id, &hash)
		have[k] = hash
		return struct{}{}, err
	}, `SELECT kind, id, hash FROM provisioned WHERE site = $1 AND until IS NULL`, t.site)
	return have, failure(err, "read what was provisioned")
}

// Name returns the name that a thing has or last had in the configuration, or
// facility.ErrNotFound when it never was there.
func (l *Ledger) Name(ctx context.Context, kind Kind, id string) (facility.Text, error) {
	var name facility.Text
	err := l.reader.QueryRowContext(ctx, `
		SELECT name_zh, name_en FROM provisioned WHERE site = $1 AND kind = $2 AND id = $3
		ORDER BY since DESC LIMIT 1`, l.site, kind, id).Scan(&name.ZH, &name.EN)
	return name, failure(err, "name of %s %s", kind, id)
}

// copies returns what of the estate is kept. Tokens and tags are left out: who
// knows them can pretend to have been at a checkpoint.
func copies(e facility.Estate) (map[thing]copied, error) {
	out := map[thing]copied{}
	add := func(kind Kind, id string, name facility.Text, v any) error {
		body, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, id, err)
		}
		sum := sha256.Sum256(body)
		out[thing{kind, id}] = copied{name: name, body: string(body), hash: hex.EncodeToString(sum[:])}
		return nil
	}
	for _, p := range e.Places {
		if err := add(KindPlace, p.ID, p.Name, p); err != nil {
			return nil, err
		}
	}
	for _, d := range e.Devices {
		if err := add(KindDevice, d.ID, d.Name, d); err != nil {
			return nil, err
		}
	}
	for _, r := range e.Readers {
		if err := add(KindReader, r.ID, r.Name, r); err != nil {
			return nil, err
		}
	}
	for _, c := range e.Checkpoints {
		c.Token, c.Tags = "", nil
		if err := add(KindCheckpoint, c.ID, c.Name, c); err != nil {
			return nil, err
		}
	}
	for _, r := range e.Routes {
		if err := add(KindRoute, r.ID, r.Name, r); err != nil {
			return nil, err
		}
	}
	for _, p := range e.Plans {
		if err := add(KindPlan, p.ID, p.Name, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sorted[V any](m map[thing]V) []thing {
	return slices.SortedFunc(maps.Keys(m), func(a, b thing) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id))
	})
}
