package daemon

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"gengfu/dashboard"
	"gengfu/devices/wand"
	"gengfu/facility"
)

// serving is what browsers and monitors reach: the dashboard on a hub, and on an
// edge alone only whether it is well.
func (d *daemon) serving(ln net.Listener) (part, error) {
	conf, err := d.dashboardTLS()
	if err != nil {
		return part{}, err
	}
	d.openBooks()
	door := newDoorway(ln)
	token, err := d.Config.Secret(d.Config.Dashboard.MonitorTokenFile)
	if err != nil {
		return part{}, err
	}
	if d.hub == nil {
		return part{"health", func(ctx context.Context) error {
			return door.serve(ctx, func(ctx context.Context, ln net.Listener) error { return d.serveHealth(ctx, ln, conf, token) })
		}}, nil
	}
	c := d.Config
	life := c.Alarms.Life()
	s, err := dashboard.New(dashboard.Options{
		Estate: c.Estate, Tiles: c.Tiles, People: d.ledger, Orders: d.ledger, Watch: d.ledger, Holds: d.hub, Held: d.ledger, Usual: d.hub, Notices: d.ledger,
		Limits: dashboard.AlarmLimits{MaxShelf: life.MaxShelf, AckNote: life.AckNote},
		Desk:   d.hub, Live: d.hub, Figures: d.hub, Rules: d.hub.Rules(), History: d.history, Metrics: d.scraping(),
		DeadLetters: d.exportLetters(), MonitorToken: token,
		DemoLogins: d.DemoLogins, Extensions: d.Extensions, BaseURL: c.Dashboard.BaseURL, TrustedProxies: c.Proxies,
		Version: d.Version, Logger: d.Logger.With("part", "dashboard"), TLS: conf, Now: d.clock.Best,
		ReadDump: func(dump []byte, o facility.DumpOptions, people []facility.Person, now time.Time) ([]facility.DumpLine, error) {
			return wand.Read(dump, o, wand.House{Zone: c.Estate.Site.Zone, Now: now, Checkpoints: c.Estate.Checkpoints, People: people})
		},
	})
	if err != nil {
		return part{}, fmt.Errorf("dashboard: %w", err)
	}
	return part{"dashboard", func(ctx context.Context) error { return door.serve(ctx, s.Serve) }}, nil
}

// exportLetters answers with the dead letters.
func (d *daemon) exportLetters() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		if err := d.letters.Export(w); err != nil {
			d.Logger.Warn("the dead letters cannot be sent", "error", err)
		}
	})
}

func (d *daemon) dashboardTLS() (*tls.Config, error) {
	c := d.Config
	if c.Dashboard.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Resolve(c.Dashboard.CertFile), c.Resolve(c.Dashboard.KeyFile))
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// headWithin is how long a client may take to say what it wants.
const headWithin = 5 * time.Second

// serveHealth answers the health paths of an edge that has no dashboard.
func (d *daemon) serveHealth(ctx context.Context, ln net.Listener, conf *tls.Config, token string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.waiting()) })
	mux.Handle("GET /metrics", monitored(token, d.scraping()))
	mux.Handle("GET /api/health", monitored(token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.health()) // the client is gone if this fails
	})))
	srv := &http.Server{Handler: mux, TLSConfig: conf, ReadHeaderTimeout: headWithin}
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve health: %w", err)
	case <-ctx.Done():
	}
	err := srv.Shutdown(context.WithoutCancel(ctx)) // the doorway ends what takes too long
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// monitored lets in programs of this machine, and those that show the token.
func monitored(token string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		proxied := r.Header.Get("X-Forwarded-For")+r.Header.Get("Forwarded")+r.Header.Get("X-Real-IP") != ""
		here := err == nil && from.Addr().Unmap().IsLoopback() && !proxied
		if !here && !dashboard.MayMonitor(r.Header.Get("Authorization"), token) {
			http.Error(w, "only for this machine, or with the token of dashboard.monitor_token_file", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, waiting []string) {
	body := map[string]any{"status": "ok"}
	w.Header().Set("Content-Type", "application/json")
	if len(waiting) > 0 {
		body = map[string]any{"status": "unready", "waiting_for": waiting}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // the client is gone if this fails
}
