package dashboard

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"gengfu/dashboard/password"
	"gengfu/dashboard/photo"
)

//go:embed all:web/dist
var built embed.FS

// Limits of the server.
const (
	maxBody         = 1 << 20            // bytes of a request
	maxUpload       = 3 * photo.MaxBytes // bytes of a request with a photo: room to tell a person that it is too large
	requestTimeout  = 15 * time.Second   // for everything that a handler waits for
	shutdownTimeout = 20 * time.Second
	hashesAtOnce    = 2
	photosAtOnce    = 1 // each may take 150 MB while it is decoded
)

// Server is the dashboard of one estate.
type Server struct {
	options   Options
	now       func() time.Time
	log       *slog.Logger
	app       *fiber.App
	estate    *estate
	register  *register
	passwords *password.Checker
	trials    *trials
	photos    chan struct{} // a place for each picture that is being decoded
	logins    *limiter
	addresses *limiter
	visitors  *limiter
	hub       *hub
	files     *files
	pages     *pages
}

// New makes a dashboard. It fails when an option that it cannot do without is
// missing or the embedded files are damaged.
func New(o Options) (*Server, error) {
	if o.People == nil || o.Orders == nil || o.Desk == nil || o.Watch == nil || o.Live == nil || o.History == nil {
		return nil, errors.New("dashboard: People, Orders, Desk, Watch, Live and History are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Assets == nil {
		assets, err := fs.Sub(built, "web/dist")
		if err != nil {
			return nil, fmt.Errorf("dashboard: the embedded app: %w", err)
		}
		o.Assets = assets
	}
	files, err := readFiles(o.Assets)
	if err != nil {
		return nil, fmt.Errorf("dashboard: the embedded app: %w", err)
	}
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("dashboard: the plain pages: %w", err)
	}
	checker, err := password.NewChecker(o.PasswordCost, hashesAtOnce)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	s := &Server{
		options: o, now: o.Now, log: o.Logger, estate: newEstate(o.Estate, o.BaseURL),
		register: &register{people: o.People, now: o.Now}, passwords: checker,
		trials: newTrials(), photos: make(chan struct{}, photosAtOnce), files: files, pages: pages,
		logins:    newLimiter(5.0/60, 5, o.Now),
		addresses: newLimiter(1, 60, o.Now),
		visitors:  newLimiter(50, 200, o.Now),
	}
	s.hub = newHub(s.estate, o, s.register)
	s.app = s.newApp()
	return s, nil
}

func (s *Server) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:                      "Gengfu",
		Immutable:                    true, // handlers keep parameters and bodies beyond the request
		CaseSensitive:                true,
		BodyLimit:                    maxBody,
		ReadBufferSize:               8192, // the longest head of a request
		ReadTimeout:                  30 * time.Second,
		WriteTimeout:                 30 * time.Second, // of one answer; the event stream renews it
		IdleTimeout:                  75 * time.Second,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // else an upload is parsed before anybody asked who sends it
		ErrorHandler:                 s.showError,
	})
	app.Server().CloseOnShutdown = true
	app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if isUpload(h) && s.mayUpload(h) {
			return fasthttp.RequestConfig{MaxRequestBodySize: maxUpload, ReadTimeout: 2 * time.Minute}
		}
		return fasthttp.RequestConfig{}
	}
	s.mount(app)
	return app
}

// isUpload reports whether a request goes to where photos or dumps are taken.
func isUpload(h *fasthttp.RequestHeader) bool {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	orders := strings.HasPrefix(path, "/api/orders/") || strings.HasPrefix(path, "/basic/orders/")
	return orders && strings.HasSuffix(path, "/photos") || path == "/api/taps/import"
}

// mayUpload reports whether somebody who is signed in sends a request. It is
// asked before the body is read, so that only they can make the server hold one
// as long as a photo.
func (s *Server) mayUpload(h *fasthttp.RequestHeader) bool {
	token := string(h.Cookie(hostCookie))
	if token == "" {
		token = string(h.Cookie(plainCookie))
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	v, err := s.holder(ctx, token)
	return err == nil && v.signedIn()
}

// Serve answers on the listener until ctx ends, then says goodbye to the event
// streams, finishes the requests and waits for everything it started. It closes
// the listener. It may be called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.options.TLS != nil {
		ln = tls.NewListener(ln, s.options.TLS)
	}
	hubCtx, stopHub := context.WithCancel(ctx)
	defer stopHub()
	defer s.trials.stop()
	hubDone := make(chan struct{})
	go func() {
		defer close(hubDone)
		s.hub.run(hubCtx)
	}()
	served := make(chan error, 1)
	go func() { served <- s.app.Listener(ln) }()

	var err error
	select {
	case err = <-served:
		stopHub()
	case <-ctx.Done():
		// The streams must end first: a server that still answers one is not idle.
		<-hubDone
		s.hub.streams.Wait()
		s.trials.stop()
		err = s.shutdown()
		_ = ln.Close() // for a shutdown that came before the server knew its listener
		if serveErr := <-served; err == nil {
			err = serveErr
		}
	}
	<-hubDone
	s.hub.streams.Wait()
	if err != nil {
		return fmt.Errorf("serve the dashboard on %s: %w", ln.Addr(), err)
	}
	return nil
}

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return s.app.ShutdownWithContext(ctx)
}

func stack() []byte { return debug.Stack() }
