package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strconv"
	"time"

	"gengfu/facility"
)

// visit is somebody who is signed in at a gateway that runs.
type visit struct {
	address string
	client  *http.Client
}

// send signs in, hands over the dump and signs out.
func (cmd wandImport) send(c *console, dump []byte) (report dumpReport, err error) {
	secret, err := readPassword(c, "Password: ")
	if err != nil {
		return report, fmt.Errorf("read the password: %w", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return report, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: cmd.Insecure}} //nolint:gosec // asked for
	defer transport.CloseIdleConnections()
	v := &visit{address: cmd.Address, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
	signIn, err := json.Marshal(map[string]string{"login": cmd.Login, "password": secret})
	if err != nil {
		return report, err
	}
	var session struct{ Site struct{ Zone string } }
	if err := v.ask(c.ctx, http.MethodPost, "/api/session", "application/json", signIn, &session); err != nil {
		return report, err
	}
	if report.zone, err = time.LoadLocation(session.Site.Zone); err != nil {
		return report, fmt.Errorf("the zone of the site: %w", err)
	}
	defer func() { err = errors.Join(err, v.ask(c.ctx, http.MethodDelete, "/api/session", "", nil, nil)) }()
	body, kind, err := cmd.form(dump)
	if err != nil {
		return report, err
	}
	err = v.ask(c.ctx, http.MethodPost, "/api/taps/import", kind, body, &report)
	return report, err
}

func (cmd wandImport) form(dump []byte) (body []byte, kind string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{
		{"columns", cmd.Map},
		{"wand", cmd.Wand},
		{"guard", cmd.Guard},
		{"dry_run", strconv.FormatBool(cmd.DryRun)},
	} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return nil, "", err
		}
	}
	part, err := form.CreateFormFile("dump", filepath.Base(cmd.File))
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(dump); err != nil {
		return nil, "", err
	}
	err = form.Close()
	return b.Bytes(), form.FormDataContentType(), err
}

// ask sends one request of the JSON API. What the gateway refuses is told in its
// own words.
func (v *visit) ask(ctx context.Context, method, path, kind string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, v.address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Gengfu", "1")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	const longest = 32 << 20
	said, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var refused struct {
			Error struct{ Message facility.Text }
		}
		if json.Unmarshal(said, &refused) != nil || refused.Error.Message.Empty() {
			return fmt.Errorf("%s: %s", v.address, resp.Status)
		}
		return errors.New(refused.Error.Message.EN)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(said, into)
}
