// Package observe looks at a running gateway from outside, as benches do: at the
// events that a page gets, and at what a process weighs.
package observe

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

// Page is a browser as the server sees it: somebody who is signed in, with one
// event stream.
type Page struct {
	Events <-chan Event // closed when the stream ends
	body   io.Closer
}

// Event is one event of the stream.
type Event struct {
	At   time.Time // when the last byte of it was here
	Name string
	Data []byte
}

// Open signs in as the first demo login and opens the event stream.
func Open(ctx context.Context, url string) (*Page, error) {
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
	events := make(chan Event, 100)
	go read(ctx, body, events)
	return &Page{Events: events, body: body}, nil
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
func read(ctx context.Context, body io.Reader, events chan<- Event) {
	defer close(events)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 4<<20)
	var e Event
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			e.Name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			e.Data = []byte(line[len("data: "):])
		case line == "" && e.Name != "":
			e.At = time.Now()
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
			e = Event{}
		}
	}
}

// Close ends the stream and waits for its reader.
func (p *Page) Close() error {
	err := p.body.Close()
	for range p.Events { // until the reader has gone
	}
	return err
}
