package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"gengfu/gateway/demo"
)

// page is a browser as the server sees it: somebody who is signed in, with one
// event stream.
type page struct {
	events chan event // closed when the stream ends
	body   io.Closer
}

type event struct {
	at   time.Time // when the last byte of it was here
	name string
	data []byte
}

// openPage signs in as the first demo login and opens the event stream.
func openPage(ctx context.Context, url string) (*page, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar}
	who := demo.People()[0]
	login, err := json.Marshal(map[string]string{"login": who.Person.Login, "password": who.Password})
	if err != nil {
		return nil, err
	}
	in, err := ask(ctx, client, http.MethodPost, url+"/api/session", login)
	if err != nil {
		return nil, err
	}
	if err := in.Close(); err != nil {
		return nil, err
	}
	body, err := ask(ctx, client, http.MethodGet, url+"/api/events", nil)
	if err != nil {
		return nil, err
	}
	p := &page{events: make(chan event, 100), body: body}
	go p.read(ctx, body)
	return p, nil
}

// ask sends a request as docs/api.md wants it and returns the body of a good answer.
func ask(ctx context.Context, client *http.Client, method, url string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Gengfu", "1")
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the dashboard: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close() // the status says what there is to say
		return nil, fmt.Errorf("%s %s: %s", method, url, res.Status)
	}
	return res.Body, nil
}

// read cuts the stream into events until it ends.
func (p *page) read(ctx context.Context, body io.Reader) {
	defer close(p.events)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			e.name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			e.data = []byte(line[len("data: "):])
		case line == "" && e.name != "":
			e.at = time.Now()
			select {
			case p.events <- e:
			case <-ctx.Done():
				return
			}
			e = event{}
		}
	}
}

// close ends the stream and waits for its reader.
func (p *page) close() error {
	err := p.body.Close()
	for range p.events { // until the reader has gone
	}
	return err
}
