package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gengfu/gateway/config"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/quarantine"
)

// OpenHistory opens the history that the configuration names, for writing: an
// embedded one is taken over from whoever has it open. It returns nil with an
// error, not an interface that holds nil.
func OpenHistory(ctx context.Context, c *config.Config, data string) (history.Store, error) {
	if c.History.Engine == config.InfluxDBEngine {
		return OpenInfluxDB(c)
	}
	store, err := embedded.Open(ctx, embedded.Options{
		Path:      filepath.Join(data, historyFile),
		Retention: time.Duration(c.History.RetentionDays) * 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// OpenInfluxDB opens the InfluxDB that the configuration names.
func OpenInfluxDB(c *config.Config) (history.Store, error) {
	db := c.History.InfluxDB
	if db == nil {
		return nil, errors.New("the configuration names no InfluxDB")
	}
	token, err := c.Secret(db.TokenFile)
	if err != nil {
		return nil, err
	}
	store, err := influx.New(influx.Options{
		URL: db.URL, Org: db.Org, Bucket: db.Bucket, Token: token, Site: c.Site.ID, Timeout: db.Timeout,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// ReadEmbedded opens the embedded history of the data folder for reading, beside a
// gateway that may be writing it.
func ReadEmbedded(ctx context.Context, data string) (*embedded.Store, error) {
	return embedded.Open(ctx, embedded.Options{Path: filepath.Join(data, historyFile), ReadOnly: true})
}

// OpenQuarantine opens what holds the readings that the history refused. A gateway
// may be running on the folder.
func OpenQuarantine(ctx context.Context, data string) (*quarantine.Store, error) {
	return quarantine.Open(ctx, quarantine.Options{Path: filepath.Join(data, QuarantineFile)})
}

// Claim takes the data folder for this process, and returns what gives it back. It
// fails where a gateway runs on it.
func Claim(data string) (release func() error, err error) { return claim(data) }

// engineNote is the file that says which engine had the history last.
const engineNote = "history.json"

type engineUse struct {
	Engine string    `json:"engine"`
	Since  time.Time `json:"since"`
	Copied bool      `json:"copied,omitempty"` // what the embedded one held is in InfluxDB
}

// noteEngine keeps in mind which engine the history is in, and says what becomes of
// the old one's when it is another than at the last start.
func noteEngine(data, engine string, log *slog.Logger) error {
	use, err := readEngineUse(data)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(data, historyFile)); err == nil && engine == config.InfluxDBEngine && !use.Copied {
		log.Warn("the embedded history holds readings that InfluxDB may not have; charts do not show them. " +
			"Bring them over with \"gengfu history copy\", while the gateway runs; the file stays until you remove it")
	}
	if use.Engine == engine {
		return nil
	}
	if use.Engine == config.InfluxDBEngine {
		log.Warn("the history was in InfluxDB until now and its readings stay there; charts do not show them. " +
			"Bring them over with \"gengfu history export\" from a configuration with InfluxDB and \"gengfu history import\" with this one, while the gateway is stopped")
		use.Copied = false
	}
	use.Engine, use.Since = engine, time.Now().UTC()
	return writeEngineUse(data, use)
}

// NoteCopied keeps in mind that what the embedded history holds is in InfluxDB.
func NoteCopied(data string) error {
	use, err := readEngineUse(data)
	if err != nil {
		return err
	}
	use.Copied = true
	return writeEngineUse(data, use)
}

func readEngineUse(data string) (use engineUse, err error) {
	text, err := os.ReadFile(filepath.Join(data, engineNote))
	if errors.Is(err, fs.ErrNotExist) {
		return engineUse{}, nil
	}
	if err != nil {
		return use, fmt.Errorf("read which engine the history was in: %w", err)
	}
	if broken := json.Unmarshal(text, &use); broken == nil {
		return use, nil
	}
	return engineUse{}, nil // a note that broke is none
}

func writeEngineUse(data string, use engineUse) error {
	text, err := json.Marshal(use)
	if err != nil {
		return err
	}
	path := filepath.Join(data, engineNote)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("note which engine the history is in: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("note which engine the history is in: %w", err)
	}
	return nil
}
