package command

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"gengfu/facility"
	"gengfu/gateway/account"
)

type healthCommand struct {
	Address     string `help:"Address of the dashboard." default:"http://127.0.0.1:8080" env:"GENGFU_ADDRESS"`
	JSON        bool   `help:"Print all that the health page shows, as JSON." name:"json"`
	DeadLetters bool   `help:"Print the messages that could not be taken, each as a line of JSON."`
	Lang        string `help:"Language of the sentences: en or zh." enum:"en,zh" default:"en" env:"GENGFU_LANG"`

	Insecure  bool   `help:"Take any certificate: over HTTPS on this machine its name is not 127.0.0.1." env:"GENGFU_INSECURE"`
	TokenFile string `help:"File with the token of dashboard.monitor_token_file, for a gateway on another machine." env:"GENGFU_TOKEN_FILE"`
}

// healthBytes is more than any health page has.
const healthBytes = 16 << 20

func (cmd healthCommand) Run(c *console) error {
	ctx, cancel := context.WithTimeout(c.ctx, 3*time.Second)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: cmd.Insecure}} //nolint:gosec // asked for
	defer transport.CloseIdleConnections()
	ask := asker{address: cmd.Address, client: &http.Client{Transport: transport}}
	if cmd.TokenFile != "" {
		token, err := os.ReadFile(cmd.TokenFile)
		if err != nil {
			return fmt.Errorf("health: read the token: %w", err)
		}
		ask.token = strings.TrimRight(string(token), "\r\n")
	}
	if cmd.DeadLetters {
		return ask.copy(ctx, "/api/health/dead-letters", c.out)
	}
	unready := ask.ready(ctx)
	var away *unreachable
	if errors.As(unready, &away) {
		return unready
	}
	if err := cmd.tell(ctx, ask, c.out); err != nil {
		return errors.Join(unready, err)
	}
	return unready
}

// tell prints how the gateway is.
func (cmd healthCommand) tell(ctx context.Context, ask asker, out io.Writer) error {
	if cmd.JSON {
		return ask.copy(ctx, "/api/health", out)
	}
	var text strings.Builder
	if err := ask.copy(ctx, "/api/health", &text); err != nil {
		return err
	}
	var h told
	if err := json.Unmarshal([]byte(text.String()), &h); err != nil {
		return fmt.Errorf("health: the answer cannot be read: %w", err)
	}
	return h.print(out, cmd.Lang)
}

// told is what is printed of the health page's data.
type told struct {
	Version string  `json:"version"`
	Uptime  float64 `json:"uptime"`
	Memory  int64   `json:"memory"`
	Summary struct {
		State string        `json:"state"`
		Text  facility.Text `json:"text"`
		All   []struct {
			Text facility.Text `json:"text"`
		} `json:"all"`
	} `json:"summary"`
	Law account.Law `json:"law"`
}

func (h told) print(out io.Writer, lang string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s: %s\n", h.Summary.State, h.Summary.Text.In(lang)) //nolint:errcheck // Flush says it
	for _, f := range h.Summary.All[min(1, len(h.Summary.All)):] {
		fmt.Fprintf(w, "  %s\n", f.Text.In(lang)) //nolint:errcheck // likewise
	}
	row := func(name string, b account.Balance) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, b.Read, b.Delivered, b.Queued, b.Dropped, b.Difference) //nolint:errcheck // likewise
	}
	fmt.Fprintln(w, "\n\tread\tdelivered\tqueued\tdropped\tdifference\t") //nolint:errcheck // likewise
	row("all", h.Law.Balance)
	for _, s := range h.Law.Streams {
		row(s.Gateway+" "+s.Stream, s.Balance)
	}
	for _, part := range []struct {
		name string
		of   *account.Balance
	}{{"hub", h.Law.Hub}, {"history", h.Law.History}, {"judge", h.Law.Judge}} {
		if part.of != nil {
			row(part.name, *part.of)
		}
	}
	fmt.Fprintf(w, "\ngengfu %s, up %v, %.1f MB\n", h.Version, time.Duration(h.Uptime)*time.Second, float64(h.Memory)/1e6) //nolint:errcheck // likewise
	if err := w.Flush(); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}

// asker asks a running gateway.
type asker struct {
	address string
	token   string
	client  *http.Client
}

// unreachable says that nobody answers.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }

func (a asker) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, &unreachable{fmt.Errorf("health: %w", err)}
	}
	return resp, nil
}

// ready says why the gateway is not, or nil.
func (a asker) ready(ctx context.Context) error {
	resp, err := a.get(ctx, "/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	return a.refused(resp, "/readyz")
}

// refused is the error of an answer that is none.
func (a asker) refused(resp *http.Response, path string) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return fmt.Errorf("%s%s answers %s: %s", a.address, path, resp.Status, body)
}

func (a asker) copy(ctx context.Context, path string, to io.Writer) error {
	resp, err := a.get(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if err := a.refused(resp, path); err != nil {
		return err
	}
	if _, err := io.Copy(to, io.LimitReader(resp.Body, healthBytes)); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}
