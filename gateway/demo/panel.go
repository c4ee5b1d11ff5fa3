package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed panel
var panelFiles embed.FS

// Handler serves the panel, and the interface that it and the command line use:
// GET state, POST control with {name, args} and the header X-Gengfu: 1. It is to
// stand behind a sign-in.
func (e *Estate) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", e.servePage)
	mux.HandleFunc("GET /panel.js", serveFile("panel/panel.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /panel.css", serveFile("panel/panel.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, e.Status()) })
	mux.HandleFunc("POST /control", e.serveControl)
	return mux
}

// page is what the template shows.
type page struct {
	Devices     []named
	Checkpoints []named
}

type named struct{ ID, ZH, EN string }

func (e *Estate) servePage(w http.ResponseWriter, _ *http.Request) {
	var p page
	for _, d := range e.site.Devices {
		p.Devices = append(p.Devices, named{d.ID, d.Name.In("zh"), d.Name.In("en")})
	}
	for _, c := range e.site.Patrol.Checkpoints {
		p.Checkpoints = append(p.Checkpoints, named{c.ID, c.Name.In("zh"), c.Name.In("en")})
	}
	t, err := template.ParseFS(panelFiles, "panel/panel.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var text bytes.Buffer
	if err := t.Execute(&text, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	_, _ = w.Write(text.Bytes()) // a browser that has gone needs no answer
}

func serveFile(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := panelFiles.ReadFile(name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data) // a browser that has gone needs no answer
	}
}

const maxAction = 4 << 10 // bytes

func (e *Estate) serveControl(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Gengfu") != "1" {
		refuse(w, http.StatusForbidden, "cross_site", "the header X-Gengfu: 1 is missing")
		return
	}
	var a Action
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAction))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		refuse(w, http.StatusBadRequest, "invalid", fmt.Sprintf("the action cannot be read: %v", err))
		return
	}
	status, err := e.Control(r.Context(), a)
	switch {
	case errors.Is(err, ErrAction):
		refuse(w, http.StatusBadRequest, "invalid", err.Error())
	case err != nil:
		refuse(w, http.StatusInternalServerError, "internal", err.Error())
	default:
		e.logger.Info("demo", "action", a.Name, "args", a.Args)
		reply(w, http.StatusOK, status)
	}
}

// failure is an error as docs/api.md has it.
type failure struct {
	Error struct {
		Code    string            `json:"code"`
		Message map[string]string `json:"message"`
	} `json:"error"`
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	var f failure
	f.Error.Code = code
	f.Error.Message = map[string]string{"zh": message, "en": message}
	reply(w, status, f)
}

func reply(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone needs no answer
}
